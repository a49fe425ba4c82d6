//! `/events` of a site, followed for ever: whoever is gone, refuses or falls silent is tried again after a pause.

use std::{convert::Infallible, error::Error, io, time::Duration};

use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{ACCEPT, CONTENT_TYPE, HOST, LOCATION},
};
use hyper_util::rt::TokioIo;
use runtime::exit::Failure;
use tokio::{
    net::TcpStream,
    sync::mpsc::Sender,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    feed::Heard,
    place::Site,
    sse::{Event, Events, TooLong},
};

/// Between the end of one attempt and the next.
const PAUSE: Duration = Duration::from_secs(1);
/// Statistics come each second. Who is silent for so long is tried anew.
const PATIENCE: Duration = Duration::from_secs(5);
const EVENT_STREAM: &str = "text/event-stream";

/// Why nothing comes any more.
enum Trouble {
    /// The site's; in words.
    There(String),
    /// Nobody listens to us.
    Here,
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self::There(why)
    }
}

/// Tells what the site says, and why it says nothing, until nobody listens.
pub(crate) async fn follow(site: Site, heard: Sender<Heard>) {
    while let Err(Trouble::There(why)) = attempt(&site, &heard).await {
        if heard.send(Heard::Silence(why)).await.is_err() {
            return;
        }
        sleep(PAUSE).await;
    }
}

async fn attempt(site: &Site, heard: &Sender<Heard>) -> Result<Infallible, Trouble> {
    let connect = TcpStream::connect((site.host.as_str(), site.port));
    let stream = in_time(connect).await?.map_err(in_words)?;
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(in_words)?;
    // It ends with this function: a set that is dropped ends what is in it.
    let mut connections = JoinSet::new();
    connections.spawn_local(connection);
    let answer = in_time(requests.send_request(question(site)?)).await?.map_err(in_words)?;
    check(&answer)?;
    read(answer.into_body(), heard).await
}

fn question(site: &Site) -> Result<Request<Empty<Bytes>>, String> {
    Request::get(format!("{}/events", site.path))
        .header(HOST, site.authority())
        .header(ACCEPT, EVENT_STREAM)
        .body(Empty::new())
        .map_err(|error| error.to_string())
}

/// Whether what follows are events.
fn check(answer: &Response<Incoming>) -> Result<(), String> {
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match answer.status() {
        StatusCode::OK if header(CONTENT_TYPE).starts_with(EVENT_STREAM) => Ok(()),
        StatusCode::OK => Err("what is there shows no statistics".to_owned()),
        status if status.is_redirection() => Err(format!("it sends us to {}", header(LOCATION))),
        status => Err(format!("it answers {status}")),
    }
}

async fn read(mut body: Incoming, heard: &Sender<Heard>) -> Result<Infallible, Trouble> {
    let mut events = Events::default();
    while let Some(frame) = in_time(body.frame()).await? {
        let Ok(bytes) = frame.map_err(in_words)?.into_data() else { continue };
        let events = events.take(&bytes).map_err(|TooLong| "what it says has no end".to_owned())?;
        for said in events.into_iter().filter_map(understood) {
            heard.send(said).await.map_err(|_| Trouble::Here)?;
        }
    }
    Err("the connection was closed".to_owned().into())
}

fn understood(Event { kind, data }: Event) -> Option<Heard> {
    match kind.as_str() {
        "stats" => Some(Heard::Summary(data.into())),
        "event" => Some(Heard::Told(data.into())),
        _ => None,
    }
}

async fn in_time<T>(future: impl Future<Output = T>) -> Result<T, String> {
    timeout(PATIENCE, future).await.map_err(|_| format!("silent for {} s", PATIENCE.as_secs()))
}

/// As the operating system says it, which is the last of an error's causes.
fn in_words(error: impl Error + Send + Sync + 'static) -> String {
    let mut cause: &(dyn Error + 'static) = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match cause.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
        Some(code) => Failure::cannot("", io::Error::from_raw_os_error(code), "").why(),
        None => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        sync::mpsc,
        task::LocalSet,
    };

    use super::*;

    /// What is heard of a site that answers so, and why nothing more is.
    async fn heard(answer: &'static str) -> (Vec<Heard>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let site = Site { host: "127.0.0.1".to_owned(), port, path: "/loom".to_owned() };
        let (says, mut hears) = mpsc::channel(8);
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = vec![0; 1024];
            let length = stream.read(&mut question).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&question[..length]).into_owned()
        };
        let (ended, question) =
            LocalSet::new().run_until(async { tokio::join!(attempt(&site, &says), serve) }).await;
        assert!(question.starts_with("GET /loom/events HTTP/1.1\r\n"), "{question}");
        assert!(question.contains(&format!("host: 127.0.0.1:{port}\r\n")), "{question}");
        let Err(Trouble::There(why)) = ended else { panic!("it goes on") };
        drop(says);
        let mut all = Vec::new();
        while let Some(heard) = hears.recv().await {
            all.push(heard);
        }
        (all, why)
    }

    #[tokio::test]
    async fn events_are_heard_until_the_connection_ends() {
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\
                      event: stats\ndata: {}\n\nevent: other\ndata: x\n\nevent: event\ndata: []\n\n";
        let expected = [Heard::Summary("{}".into()), Heard::Told("[]".into())];
        let (heard, why) = heard(answer).await;
        assert_eq!((&heard[..], why.as_str()), (&expected[..], "the connection was closed"));
    }

    /// Fails if a place that is no fabric is waited for without a word.
    #[tokio::test]
    async fn what_shows_no_statistics_is_named_for_what_it_is() {
        for (answer, expected) in [
            ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "it answers 404 Not Found"),
            ("HTTP/1.1 302 Found\r\nlocation: /login\r\n\r\n", "it sends us to /login"),
            ("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<p>", "what is there shows no statistics"),
            ("SSH-2.0-OpenSSH_9\r\n", "invalid HTTP version parsed"),
        ] {
            assert_eq!(heard(answer).await, (Vec::new(), expected.to_owned()));
        }
    }

    #[tokio::test]
    async fn nobody_there_is_said_as_the_system_says_it() {
        let site = Site { host: "127.0.0.1".to_owned(), port: 1, path: String::new() };
        let (says, _hears) = mpsc::channel(1);
        let Err(Trouble::There(why)) = attempt(&site, &says).await else { panic!("somebody is there") };
        assert_eq!(why, "connection refused");
    }
}
