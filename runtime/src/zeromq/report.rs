//! Reports and events: any number of [`Publisher`]s, any number of [`Subscriber`]s, either of which may bind.
//!
//! One message is `[topic, body]`. What is published may be lost: before the subscription has arrived, and when a
//! subscriber does not keep up.

use super::{
    Batch, Context, Error, Malformed, SendError, link, options,
    socket::{self, Socket},
};

/// Says what may be observed. Never waits and never learns who listens.
pub struct Publisher {
    raw: zmq::Socket,
    endpoint: String,
}

impl Publisher {
    /// Listens on the endpoint; a port of 0 is any free one.
    pub fn bind(context: &Context, endpoint: &str) -> Result<Self, Error> {
        let raw = Self::open(context)?;
        let endpoint = link::bind(&raw, endpoint)?;
        Ok(Self { raw, endpoint })
    }

    /// Connects, for ever again, to a subscriber that has bound.
    pub fn connect(context: &Context, endpoint: &str) -> Result<Self, Error> {
        let raw = Self::open(context)?;
        raw.connect(endpoint).map_err(|source| Error::connect(endpoint, source))?;
        Ok(Self { raw, endpoint: endpoint.to_owned() })
    }

    fn open(context: &Context) -> Result<zmq::Socket, Error> {
        let mut raw = context.0.socket(zmq::PUB).map_err(Error::open)?;
        options::publisher(&mut raw).map_err(Error::open)?;
        Ok(raw)
    }

    /// The endpoint as it became, with the real port.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends a copy of the body to who has subscribed to the topic, which may be nobody.
    pub fn try_send(&self, topic: &[u8], body: &[u8]) -> Result<(), SendError> {
        socket::publish(&self.raw, topic, body)
    }
}

/// Listens to what is published.
pub struct Subscriber {
    socket: Socket,
    endpoint: String,
}

impl Subscriber {
    /// Listens on the endpoint, for these topics; a port of 0 is any free one.
    pub fn bind(context: &Context, endpoint: &str, topics: &[&[u8]]) -> Result<Self, Error> {
        let raw = Self::open(context, topics)?;
        let endpoint = link::bind(&raw, endpoint)?;
        Ok(Self { socket: Socket::new(raw)?, endpoint })
    }

    /// Connects, for ever again, to a publisher that has bound, for these topics.
    pub fn connect(context: &Context, endpoint: &str, topics: &[&[u8]]) -> Result<Self, Error> {
        let raw = Self::open(context, topics)?;
        raw.connect(endpoint).map_err(|source| Error::connect(endpoint, source))?;
        Ok(Self { socket: Socket::new(raw)?, endpoint: endpoint.to_owned() })
    }

    fn open(context: &Context, topics: &[&[u8]]) -> Result<zmq::Socket, Error> {
        let mut raw = context.0.socket(zmq::SUB).map_err(Error::open)?;
        options::subscriber(&mut raw).map_err(Error::open)?;
        topics.iter().try_for_each(|topic| raw.set_subscribe(topic)).map_err(Error::open)?;
        Ok(raw)
    }

    /// The endpoint as it became, with the real port.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The next topic and body, if there is one. A subscription is to all topics that begin with it.
    pub fn try_receive(&self) -> Option<Result<(Batch, Batch), Malformed>> {
        let topic = self.socket.first_part()?;
        let body = self.socket.last_part(&topic);
        Some(body.map(|body| (Batch(topic), Batch(body))).ok_or(Malformed { peer: None }))
    }

    /// Returns when [`Self::try_receive`] may find something. For one task; may be dropped at any point.
    pub async fn readable(&self) {
        self.socket.readable().await;
    }
}
