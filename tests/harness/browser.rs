//! A browser without a screen, as a user has one: Chromium, led by its driver.
//!
//! Both end with the test: the driver with the thread that started it, and the browser with the driver, because it hangs on
//! a pipe to it. Where a machine has no browser there is none here either, and the reason is printed.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::common::command::FormatRequestData;
use thirtyfour::common::config::WebDriverConfig;
use thirtyfour::error::WebDriverError;
use thirtyfour::extensions::cdp::ChromeDevTools;
use thirtyfour::prelude::WebDriverResult;
use thirtyfour::session::http::{Body, HttpClient};
use thirtyfour::{
    CapabilitiesHelper, ChromeCapabilities, ChromiumLikeCapabilities, RequestData, SessionId, TypingData,
    WebDriver,
};
use tokio::runtime::Runtime;

use super::process::dies_with_this_thread;

const DRIVER: &str = "chromedriver";
/// The same on every machine, and nothing of its own that goes out.
const FLAGS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
];
/// How long the driver may take for one thing on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A browser with one empty window.
pub(crate) struct Browser {
    driver: Option<WebDriver>,
    runtime: Runtime,
    process: Child,
    _profile: TempDir,
}

impl Browser {
    /// None where this machine has no Chromium, or no driver for it.
    #[track_caller]
    pub(crate) fn start() -> Option<Self> {
        for program in ["chromium", DRIVER] {
            let asked = Command::new(program).arg("--version").stdin(Stdio::null()).output();
            if !asked.is_ok_and(|answer| answer.status.success()) {
                eprintln!("skipped: no {program} on this machine");
                return None;
            }
        }
        let (mut process, address) = start_driver();
        let profile = tempfile::tempdir().expect("a temporary directory");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        match runtime.block_on(open(address, &profile)) {
            Ok(driver) => Some(Self { driver: Some(driver), runtime, process, _profile: profile }),
            Err(error) => {
                end(&mut process);
                panic!("no browser: {error}");
            }
        }
    }

    /// Opens the page that is served there.
    #[track_caller]
    pub(crate) fn visit(&self, address: SocketAddr) {
        self.runtime.block_on(self.driver().goto(format!("http://{address}/"))).expect("the page is loaded");
    }

    /// What a function with this body returns in the page.
    #[track_caller]
    pub(crate) fn ask(&self, script: &str) -> Value {
        let answer = self.runtime.block_on(self.driver().execute(script, Vec::new()));
        answer.unwrap_or_else(|error| panic!("{script}: {error}")).json().clone()
    }

    /// What is written in the first element that `selector` finds; empty where there is none.
    #[track_caller]
    pub(crate) fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector({})?.textContent ?? ''", json!(selector));
        self.ask(&script).as_str().expect("a text").to_owned()
    }

    /// Presses keys, wherever the page has its focus.
    #[track_caller]
    pub(crate) fn press(&self, keys: impl Into<TypingData>) {
        let pressed = self.driver().action_chain().send_keys(keys);
        self.runtime.block_on(pressed.perform()).expect("keys can be pressed");
    }

    /// Makes the window so wide and high.
    #[track_caller]
    pub(crate) fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let tools = ChromeDevTools::new(Arc::clone(&self.driver().handle));
        let resized = tools.execute_cdp_with_params("Emulation.setDeviceMetricsOverride", size);
        self.runtime.block_on(resized).expect("a window has any size");
    }

    /// What the console has said since it was asked last.
    #[track_caller]
    pub(crate) fn console(&self) -> Vec<Value> {
        let said = self.runtime.block_on(self.driver().cmd(Console)).expect("the console can be read");
        said.value_json().expect("it is JSON").as_array().expect("a list").clone()
    }

    fn driver(&self) -> &WebDriver {
        self.driver.as_ref().expect("it is there until the end")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            // Fails only where it has ended already.
            let _ = self.runtime.block_on(driver.quit());
        }
        end(&mut self.process);
    }
}

fn end(process: &mut Child) {
    // Both fail only where it has ended already.
    let _ = process.kill();
    let _ = process.wait();
}

fn start_driver() -> (Child, SocketAddr) {
    let mut command = Command::new(DRIVER);
    command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    dies_with_this_thread(&mut command);
    let mut process = command.spawn().expect("the driver starts");
    let mut said = BufReader::new(process.stdout.take().expect("stdout is piped"));
    let port = port_in(&mut said);
    // Read on, so that a full pipe never stalls it.
    thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    (process, SocketAddr::from(([127, 0, 0, 1], port)))
}

/// The port it has chosen.
fn port_in(said: &mut BufReader<ChildStdout>) -> u16 {
    let lines = said.lines().map_while(Result::ok);
    let mut ports = lines.filter_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    ports.next().expect("the driver says where it listens")
}

async fn open(address: SocketAddr, profile: &TempDir) -> WebDriverResult<WebDriver> {
    let mut wanted = ChromeCapabilities::new();
    let profile = format!("--user-data-dir={}", profile.path().display());
    for flag in FLAGS.iter().copied().chain([profile.as_str()]) {
        wanted.add_arg(flag)?;
    }
    wanted.set_base_capability("goog:loggingPrefs", json!({ "browser": "ALL" }))?;
    let config = WebDriverConfig::builder().keep_alive(false).build()?;
    WebDriver::new_with_config_and_client(format!("http://{address}"), wanted, config, Client).await
}

/// Asks for what the console has said.
#[derive(Debug)]
struct Console;

impl FormatRequestData for Console {
    fn format_request(&self, session: &SessionId) -> RequestData {
        RequestData::new(Method::POST, format!("session/{session}/se/log"))
            .add_body(json!({ "type": "browser" }))
    }
}

/// Asks the driver, one question a connection. It waits for the answer: nothing else runs in a test's runtime.
struct Client;

#[async_trait]
impl HttpClient for Client {
    async fn send(&self, request: Request<Body<'_>>) -> WebDriverResult<Response<Bytes>> {
        exchange(&request).map_err(|error| WebDriverError::RequestFailed(error.to_string()))
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        Arc::new(Self)
    }
}

fn exchange(request: &Request<Body<'_>>) -> std::io::Result<Response<Bytes>> {
    let body = match request.body() {
        Body::Json(json) => json.to_string(),
        Body::Empty => String::new(),
    };
    let (method, path) = (request.method(), request.uri().path());
    let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
    let mut stream = TcpStream::connect(&host)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n", body.len());
    stream.write_all(
        format!("{head}Content-Type: application/json\r\nConnection: close\r\n\r\n{body}").as_bytes(),
    )?;
    answer(BufReader::new(stream))
}

/// An answer that says how long it is, as the driver's all do.
fn answer(mut stream: impl BufRead) -> std::io::Result<Response<Bytes>> {
    let (mut status, mut length) = (0, 0);
    for line in stream.by_ref().lines() {
        let line = line?.to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(number) = line.strip_prefix("content-length:") {
            length = number.trim().parse().unwrap_or(0);
        } else if line.starts_with("http/1.1 ") {
            status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Response::builder().status(status).body(body.into()).map_err(std::io::Error::other)
}
