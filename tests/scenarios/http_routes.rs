//! Several routes in one process, some of requests and some of frames, and servers of all by their names.

use crate::harness::{Client, Destination, Process, Source, WebServer, eventually_some};

const SETTINGS: &str = r#"
[[route]]
name = "devices"
listen = "tcp://127.0.0.1:0"
codec = "lines"
destinations = ["{echo}"]

[[route]]
name = "shop"
listen = "http://127.0.0.1:0"
destinations = [{ address = "{shop-1}", name = "shop-1" }, { address = "{shop-2}", name = "shop-2" }]

[[route]]
name = "blog"
listen = "http://127.0.0.1:0"
destinations = [{ address = "{blog}", name = "blog" }]
"#;

/// Fails if routes of requests and of frames take each other's servers, ports or caches.
#[test]
fn routes_of_requests_and_of_frames_live_side_by_side() {
    let directory = tempfile::tempdir().unwrap();
    let echo = Destination::echo();
    let servers = ["shop-1", "shop-2", "blog"].map(WebServer::named);
    let settings = SETTINGS
        .replace("{echo}", &echo.address().to_string())
        .replace("{shop-1}", &servers[0].address().to_string())
        .replace("{shop-2}", &servers[1].address().to_string())
        .replace("{blog}", &servers[2].address().to_string());
    std::fs::write(directory.path().join("pegloom.toml"), settings).unwrap();
    let data = directory.path().join("data");
    let run =
        ["up", "--config", "pegloom.toml", "--log-format", "json", "--data-dir", data.to_str().unwrap()];
    let process = Process::start(&run, &[], directory.path());
    let address = |route: &str| {
        let record = process.logged("listening", |record| record["route"] == route);
        record["address"].as_str().unwrap().parse().unwrap()
    };

    let mut source = Source::connect(address("devices"));
    source.send(b"hello\n");
    source.expect(b"hello\n");
    let (mut shop, mut blog) = (Client::connect(address("shop")), Client::connect(address("blog")));
    for _ in 0..2 {
        assert_eq!(shop.get("/a").text(), "shop-1 /a");
        assert_eq!(blog.get("/a").text(), "blog /a");
    }
    assert_eq!(shop.get("/b").text(), "shop-2 /b");
    source.send(b"still\n");
    source.expect(b"still\n");

    let routes = process.report().value()["routes"].as_array().unwrap().clone();
    let named = |name: &str| routes.iter().find(|route| route["route"] == name).cloned();
    let hits = |name: &str| named(name).map(|route| route["http"]["cache"]["counts"]["hits"].clone());
    assert_eq!((hits("shop"), hits("blog")), (Some(1.into()), Some(1.into())));
    process.terminate();
    assert_eq!(process.exit_code(), Some(0));
    eventually_some(crate::harness::PATIENCE, "each has a cache of its own", || {
        let has = |route: &str| data.join("cache").join(route).is_dir();
        (has("shop") && has("blog") && !has("devices")).then_some(())
    });
}
