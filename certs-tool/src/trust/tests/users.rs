//! Who looks where, and who may write there.

use super::*;

/// A machine with a user whose home lies below its root.
fn machine(lab: &Lab, is_root: bool) -> Machine {
    lab.machine().with_user(&lab.at("home"), is_root)
}

fn family(machine: &Machine, name: &str) -> Vec<Store> {
    machine.of_family(&Store::of_family(name).unwrap())
}

#[test]
fn a_user_is_meant_where_the_daemon_is_theirs() {
    let lab = Lab::new();
    let user = machine(&lab, false);
    // A file of theirs would do nothing for the machine's daemon.
    assert_eq!(family(&user, "docker"), [Store::Docker]);
    assert_eq!(family(&user, "podman"), [Store::ContainersUser]);
    assert_eq!(family(&user, "buildkit"), [Store::Buildkit]);
    fs::create_dir_all(lab.at("home/xdg/systemd/user")).unwrap();
    fs::write(lab.at("home/xdg/systemd/user/docker.service"), "").unwrap();
    fs::create_dir_all(lab.at("home/xdg/buildkit")).unwrap();
    assert_eq!(family(&user, "docker"), [Store::DockerRootless]);
    assert_eq!(family(&user, "buildkit"), [Store::BuildkitUser]);
    assert_eq!(
        family(&machine(&lab, true), "docker"),
        [Store::Docker, Store::DockerRootless]
    );
}

#[test]
fn what_a_user_may_not_write_is_known() {
    let lab = Lab::new();
    lab.write("usr/bin/skopeo", "");
    let user = machine(&lab, false);
    assert_eq!(user.stores(), [Store::ContainersUser]);
    assert!(user.closed_stores().contains(&Store::Docker));
    assert!(machine(&lab, true).closed_stores().is_empty());
}

#[test]
fn podman_reads_the_first_directory_that_is_there_and_no_other() {
    let lab = Lab::new();
    let user = machine(&lab, false);
    let report = || {
        let all = inspect(&user, &site());
        all.into_iter()
            .find(|r| r.store == Store::ContainersUser)
            .unwrap()
    };
    let file = |base: &str| format!("{base}/certs.d/reg.lan:5043/ca.crt");
    // Docker's, at last.
    lab.write(&file("etc/docker"), lab.ca.certificate_pem());
    assert!(report().trusts(lab.ca.certificate()));
    // XDG_CONFIG_HOME does not count, though Docker's own daemon goes by it.
    let own = "home/.config/containers/certs.d/reg.lan:5043";
    fs::create_dir_all(lab.at(own)).unwrap();
    assert!(!report().trusts(lab.ca.certificate()));
    assert!(
        report().problems[0]
            .what
            .contains("it is not looked at, because")
    );
    let plan = install(&user, Store::ContainersUser, &site(), &lab.authority()).unwrap();
    plan.apply().unwrap();
    assert!(lab.at(own).join("tidegate-ca.crt").is_file());
    assert!(report().trusts(lab.ca.certificate()));
}

#[test]
fn who_hides_a_clients_certificate_says_so() {
    let lab = Lab::new();
    lab.write("etc/docker/certs.d/reg.lan:5043/client.cert", "x");
    lab.write("etc/docker/certs.d/reg.lan:5043/client.key", "x");
    let notes = lab.install(Store::Containers).unwrap().notes;
    assert!(notes[0].contains("is no longer looked at"), "{notes:?}");
}
