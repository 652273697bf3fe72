//! How a front ends.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::support::client::get;
use crate::support::front;

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_are_finished_and_nobody_else_is_let_in() {
    for over_h2 in [false, true] {
        let (mut front, events) = front().start();
        let (address, client) = (front.address(), front.client());
        let slow = tokio::spawn(async move {
            match over_h2 {
                false => client.h1(get("/v2/slow")).await,
                true => client.h2(get("/v2/slow")).await,
            }
        });
        events.started(1).await;
        front.begin_shutdown();
        // Refused once the listener is closed, which is soon.
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        events.release();
        assert_eq!(slow.await.unwrap().text(), "slow");
        assert_eq!(front.drained().await.cut, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_finish_in_time_is_cut_and_counted() {
    let (mut front, events) = front()
        .with_drain_timeout(Duration::from_millis(50))
        .start();
    let (first, second) = (front.client(), front.client());
    let slow = [
        tokio::spawn(async move { first.try_h2(get("/v2/slow")).await }),
        tokio::spawn(async move { second.try_h2(get("/v2/slow")).await }),
    ];
    events.started(2).await;
    front.begin_shutdown();
    assert_eq!(front.drained().await.cut, 2);
    for slow in slow {
        assert!(slow.await.unwrap().is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_hold_it_up() {
    // Far longer than the test may take.
    let (mut front, _events) = front()
        .with_drain_timeout(Duration::from_secs(3600))
        .start();
    let mut idle = front.client().raw().await;
    idle.send("GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    idle.answer().await;
    let silent = front.client().raw().await;
    let no_handshake = TcpStream::connect(front.address()).await.unwrap();
    front.begin_shutdown();
    assert_eq!(front.drained().await.cut, 0);
    assert!(idle.rest().await.is_empty());
    drop((silent, no_handshake));
}
