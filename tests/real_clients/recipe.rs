//! nginx in front of docker-registry, and their two files served by us: the same
//! requests get the same answers.

mod asks;
mod compare;
mod servers;

use self::asks::As::{Nobody, User, Wrong};
use self::asks::asks;
use self::compare::assert_same;
use self::servers::Recipe;
use crate::harness::client::{Answer, full};
use crate::harness::image::{Image, noise, sha256};
use crate::harness::{PASSWORD, USER, run};
use crate::missing;

#[tokio::test]
async fn the_recipes_files_are_served_as_they_are() {
    if missing(&["nginx", "docker-registry"]) {
        return;
    }
    let theirs = Recipe::new();
    let _registry = theirs.docker_registry();
    let _nginx = theirs.nginx();
    let expected = answers(&theirs).await;

    let ours = Recipe::new();
    let served = ours.tidegate(&ours.inputs());
    assert_same(&expected, &answers(&ours).await);
    drop(served);

    let imported = Recipe::new();
    let file = imported.dir.join("imported.toml").display().to_string();
    let output = ["-o".to_owned(), file.clone()];
    let import = [&["import".to_owned()], &imported.inputs()[..], &output].concat();
    run(import, "").assert_ok();
    let served = imported.tidegate(&["-c".to_owned(), file]);
    assert_same(&expected, &answers(&imported).await);
    drop(served);
}

/// Pushes an image, and asks everything, one after the other.
async fn answers(recipe: &Recipe) -> Vec<Answer> {
    let client = recipe.client();
    let image = Image::of(vec![noise(61, 5000)]);
    image
        .push(&client.clone().basic(USER, PASSWORD), "app", "v1")
        .await;
    let blob = sha256(&noise(61, 5000));
    let none = sha256(b"nothing has this digest");
    let mut answers = Vec::new();
    for ask in asks() {
        let (method, path) = ask.line.split_once(' ').unwrap();
        let path = path
            .replace("{d}", &image.digest)
            .replace("{b}", &blob)
            .replace("{none}", &none);
        let mut client = client.clone();
        match ask.who {
            User => client = client.basic(USER, PASSWORD),
            Wrong => client = client.basic(USER, "wrong"),
            Nobody => {}
        }
        if let Some((name, value)) = ask.header {
            client = client.header(name, value);
        }
        let method = method.parse().unwrap();
        answers.push(client.send(method, &path, full(ask.body)).await);
    }
    answers
}
