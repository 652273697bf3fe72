//! Rules that change while they are in force.

use std::path::PathBuf;

use rustix::process::Signal;

use super::*;

/// Alice may do nothing yet.
const BEFORE: &str = "[[access.rule]]\nusers = [\"admin\"]\n";
const AFTER: &str = "[[access.rule]]\nusers = [\"admin\", \"alice\"]\n";

fn file(tidegate: &Tidegate) -> PathBuf {
    tidegate.dir.join("tidegate.toml")
}

/// Puts another text in the place of the one, as an editor does.
fn edit(tidegate: &Tidegate, from: &str, to: &str) {
    let path = file(tidegate);
    let text = fs_err::read_to_string(&path).expect("it is there");
    assert!(text.contains(from), "{from}: {text}");
    fs_err::write(&path, text.replace(from, to)).expect("it is ours");
}

async fn may_list(client: &Client) -> bool {
    let answer = client.get("/v2/_catalog").await;
    match answer.status {
        StatusCode::OK => true,
        StatusCode::FORBIDDEN => false,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn rules_take_effect_while_they_are_edited() {
    let mut tidegate = with_rules(BEFORE);
    let alice = logged_in(&tidegate, "alice");
    assert!(!may_list(&alice).await);

    edit(&tidegate, BEFORE, AFTER);
    let line = tidegate.logged("read the rules of [access] again");
    assert!(line.contains("rules=1"), "{line}");
    assert!(may_list(&alice).await);

    // What cannot be read changes nothing, and is said.
    edit(&tidegate, AFTER, "[[access.rule]]\nuser = [\"admin\"]\n");
    let line = tidegate.logged("unknown key `user`");
    assert!(
        line.contains("ERROR") && line.contains("tidegate.toml:"),
        "{line}"
    );
    tidegate.logged("stays in force");
    assert!(may_list(&alice).await);

    edit(&tidegate, "[[access.rule]]\nuser = [\"admin\"]\n", BEFORE);
    tidegate.logged("read the rules of [access] again");
    assert!(!may_list(&alice).await);
}

#[tokio::test]
async fn a_signal_has_them_read_at_once() {
    let mut tidegate = with_rules(BEFORE);
    let alice = logged_in(&tidegate, "alice");
    edit(&tidegate, BEFORE, AFTER);
    tidegate.signal(Signal::HUP);
    tidegate.logged("SIGHUP: reading rules");
    tidegate.logged("read the rules of [access] again");
    assert!(may_list(&alice).await);
    assert!(may_list(&tidegate.client()).await);
}

#[tokio::test]
async fn what_takes_a_start_is_said() {
    let mut tidegate = with_rules(BEFORE);
    edit(&tidegate, "# realm = \"Registry\"", "realm = \"Another\"");
    let line = tidegate.logged("take effect at the next start");
    assert!(
        line.contains("WARN") && line.contains("sections=\"auth\""),
        "{line}"
    );
    let answer = stranger(&tidegate).get("/v2/").await;
    assert_eq!(
        answer.header("www-authenticate"),
        "Basic realm=\"Registry\""
    );

    // Rules that are gone are not rules that allow everything.
    edit(&tidegate, BEFORE, "");
    let line = tidegate.logged("take effect at the next start");
    assert!(line.contains("sections=\"access, auth\""), "{line}");
    assert!(!may_list(&logged_in(&tidegate, "alice")).await);
}

#[tokio::test]
async fn rules_where_there_were_none_take_a_start() {
    let mut tidegate = up().start();
    edit(&tidegate, "[registry]\n", &format!("{BEFORE}[registry]\n"));
    let line = tidegate.logged("take effect at the next start");
    assert!(line.contains("sections=\"access\""), "{line}");
    assert!(may_list(&tidegate.client()).await);
}
