//! Rules about where clients are.

use super::*;

/// Pushes come from one network, and everybody may pull.
const INSIDE: &str = r#"
[[access.rule]]
users = ["*"]
actions = ["push", "delete"]
addresses = ["10.0.0.0/8", "2001:db8::/32"]

[[access.rule]]
users = ["*"]
actions = ["pull", "catalog"]
"#;

async fn pushes(client: &Client, forwarded_for: &str) -> StatusCode {
    let client = client.clone().header("x-forwarded-for", forwarded_for);
    assert_eq!(client.get("/v2/_catalog").await.status, StatusCode::OK);
    let answer = client.post("/v2/app/blobs/uploads/").await;
    if answer.status != StatusCode::ACCEPTED {
        assert_denied(&answer, "`alice` may not push in app");
    }
    answer.status
}

#[tokio::test]
async fn a_trusted_proxy_says_where_a_client_is() {
    let made = up()
        .config("[registry]\n", &format!("{INSIDE}\n[registry]\n"))
        .config(
            "# trusted_proxies = []",
            "trusted_proxies = [\"127.0.0.1\"]",
        );
    let tidegate = with_users(made);
    let alice = logged_in(&tidegate, "alice");
    for (forwarded_for, expected) in [
        ("10.1.2.3", StatusCode::ACCEPTED),
        ("::ffff:10.1.2.3", StatusCode::ACCEPTED),
        ("2001:db8::7", StatusCode::ACCEPTED),
        ("203.0.113.9, 10.1.2.3", StatusCode::ACCEPTED),
        ("203.0.113.9", StatusCode::FORBIDDEN),
        // What the client says itself stands in front.
        ("10.1.2.3, 203.0.113.9", StatusCode::FORBIDDEN),
        ("2001:db9::7", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(
            pushes(&alice, forwarded_for).await,
            expected,
            "{forwarded_for}"
        );
    }
    let direct = alice.post("/v2/app/blobs/uploads/").await;
    assert_denied(&direct, "`alice` may not push in app");
}

#[tokio::test]
async fn nobody_else_does() {
    let tidegate = with_rules(INSIDE);
    let alice = logged_in(&tidegate, "alice");
    assert_eq!(pushes(&alice, "10.1.2.3").await, StatusCode::FORBIDDEN);
    let local = INSIDE.replace("10.0.0.0/8", "127.0.0.1");
    let tidegate = with_rules(&local);
    let alice = logged_in(&tidegate, "alice");
    assert_eq!(pushes(&alice, "203.0.113.9").await, StatusCode::ACCEPTED);
}
