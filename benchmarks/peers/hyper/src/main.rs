//! hyper alone, on one thread: what HTTP in Rust costs without a framework or Python above it.

use std::convert::Infallible;
use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let json = |body: String| Response::builder().header("content-type", "application/json").body(Full::from(body));
    let made = match path.as_str() {
        "/echo" => {
            let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            Response::builder().header("content-type", "application/octet-stream").body(Full::new(body))
        }
        "/json" => json(r#"{"message":"Hello, world"}"#.to_owned()),
        "/large" => Response::builder().body(Full::new(Bytes::from_static(&[b'x'; 1 << 20]))),
        _ => Response::builder().header("content-type", "text/plain; charset=utf-8").body(Full::from("Hello, world")),
    };
    Ok(made.expect("the parts are constant"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(8000);
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    // A client that goes away in the middle is no news.
                    let _ = builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
                });
            }
        })
        .await
}
