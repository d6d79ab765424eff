//! hyper alone, on one thread: what HTTP in Rust costs with no framework and no Python above it.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::Ipv4Addr;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, COOKIE, HeaderValue, SET_COOKIE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde::Serialize;

type Answer = Response<Full<Bytes>>;

static LARGE: [u8; 1 << 20] = [b'x'; 1 << 20];

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

#[derive(Serialize)]
struct Item {
    id: u32,
    name: String,
    price: u32,
}

#[derive(Serialize)]
struct Page<'a> {
    user: u32,
    page: u32,
    q: Cow<'a, str>,
    session: &'a str,
    items: Vec<Item>,
}

fn answer(kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn json(value: &impl Serialize) -> Option<Answer> {
    Some(answer("application/json", serde_json::to_vec(value).ok()?))
}

fn items(request: &Request<Incoming>) -> Option<Answer> {
    let path = request.uri().path();
    let user = path.strip_prefix("/users/")?.strip_suffix("/items")?;
    let (mut page, mut q) = (None, None);
    for (name, value) in form_urlencoded::parse(request.uri().query()?.as_bytes()) {
        match name.as_ref() {
            "page" => page = value.parse().ok(),
            "q" => q = Some(value),
            _ => {}
        }
    }
    let (page, q): (u32, Cow<'_, str>) = (page?, q?);
    let cookies = request.headers().get(COOKIE)?.to_str().ok()?;
    let session = cookies
        .split("; ")
        .find_map(|cookie| cookie.strip_prefix("session="))?;
    let items = (page * 5..page * 5 + 6)
        .map(|id| Item {
            id,
            name: format!("{q} {id}"),
            price: id * 100,
        })
        .collect();
    let mut response = json(&Page {
        user: user.parse().ok()?,
        page,
        q,
        session,
        items,
    })?;
    let cookie = format!("session={session}; Path=/; HttpOnly");
    response
        .headers_mut()
        .insert(SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
    Some(response)
}

async fn serve(request: Request<Incoming>) -> Result<Answer, hyper::Error> {
    let found = match request.uri().path() {
        "/" => Some(answer("text/plain; charset=utf-8", "Hello, world")),
        "/echo" => {
            let body = request.into_body().collect().await?.to_bytes();
            return Ok(answer("application/octet-stream", body));
        }
        "/json" => json(&Message {
            message: "Hello, world",
        }),
        "/large" => Some(answer(
            "application/octet-stream",
            Bytes::from_static(&LARGE),
        )),
        _ => items(&request),
    };
    Ok(found.unwrap_or_else(|| {
        let mut response = answer("text/plain; charset=utf-8", "not found");
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<Infallible> {
    let port = std::env::args()
        .nth(1)
        .and_then(|port| port.parse::<u16>().ok())
        .ok_or_else(|| std::io::Error::other("usage: hyper-peer PORT"))?;
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            // A client that goes away in the middle is no news.
            let _ = builder
                .serve_connection(TokioIo::new(stream), service_fn(serve))
                .await;
        });
    }
}
