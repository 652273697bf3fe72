//! Between a pingora session and a backend in this process.
//!
//! The backend, the client's upload and the answer are driven by one task:
//! what a slow side does not take, the other is not asked for.

mod framing;
mod upload;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use http::header::{
    AUTHORIZATION, CONNECTION, EXPECT, HeaderName, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING,
    UPGRADE,
};
use http_body::Body;
use http_body_util::BodyExt;
use pingora::ErrorType;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;
use tracing::error;

use self::framing::Framing;
use self::upload::{Step, Upload};
use crate::answer::{Answer, mark_api};
use crate::backend::{Asker, Authorization, Backend, ClientAddress, ResponseBody};
use crate::context::RequestContext;
use crate::edge::{FORWARDING_HEADERS, Origin};
use crate::request_body::RequestBody;
use crate::sites::{Dress, Target};

/// The largest piece handed to the connection at once: its write timeout is for
/// a piece, and a slow client must be able to take one in that time.
const LARGEST_PIECE: usize = 256 * 1024;

/// What a client may take before others have their turn on the same thread: some
/// milliseconds' work. One that takes all as fast as it comes never waits, and tokio
/// by itself has a task stop only after 128 writes, which are 32 MiB. To go on costs
/// something too, for it is often on another core.
const IN_ONE_GO: usize = 4 * 1024 * 1024;

/// What the front has dealt with, and a backend must not deal with again.
const CONSUMED_HEADERS: [HeaderName; 9] = [
    AUTHORIZATION,
    PROXY_AUTHORIZATION,
    EXPECT,
    CONNECTION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Answers the request of `session` from `backend`.
///
/// # Errors
/// If the answer could not be written whole, be it the client's fault or the
/// backend's; the connection or stream must then be cut.
pub(crate) async fn serve(
    session: &mut Session,
    context: &RequestContext,
    origin: &Origin,
    backend: &dyn Backend,
    dress: &Dress<'_>,
) -> pingora::Result<()> {
    let (mut upload, body) = Upload::begin(session, context.body_limit);
    let request = request(session.req_header(), context, origin, body);
    let mut call = std::pin::pin!(AssertUnwindSafe(backend.call(request)).catch_unwind());
    let called = loop {
        tokio::select! {
            biased;
            called = &mut call => break called,
            step = upload.step(session), if upload.is_open() => {
                if let Step::TooLong { limit } = step {
                    // The backend is given up, as if the client had gone.
                    return Answer::too_large(limit).send(session, dress).await;
                }
                upload.apply(step, session).await?;
            }
        }
    };
    match called {
        Ok(mut response) => {
            if let Some(asker) = response.extensions_mut().remove::<Asker>() {
                // It answers once.
                let _ = context.asker.set(asker);
            }
            answer(session, &mut upload, response, dress).await
        }
        Err(_panic) => {
            // The panic hook has printed what and where.
            let request = session.req_header();
            error!(
                http.method = %request.method,
                http.path = request.uri.path(),
                "the backend panicked; the client gets a 500"
            );
            Answer::internal().send(session, dress).await
        }
    }
}

/// The request as a backend sees it.
fn request(
    header: &RequestHeader,
    context: &RequestContext,
    origin: &Origin,
    body: RequestBody,
) -> http::Request<RequestBody> {
    let mut request = http::Request::new(body);
    *request.method_mut() = header.method.clone();
    *request.version_mut() = header.version;
    let changed = context.progress.target.as_ref();
    let changed = changed.and_then(Target::written);
    *request.uri_mut() = origin.absolute(changed.as_ref().or(header.uri.path_and_query()));
    let headers = request.headers_mut();
    headers.reserve(header.headers.keys_len());
    for (name, value) in &header.headers {
        if !CONSUMED_HEADERS.contains(name) && !FORWARDING_HEADERS.contains(name) {
            headers.append(name, value.clone());
        }
    }
    let extensions = request.extensions_mut();
    extensions.insert(ClientAddress(origin.client));
    if let Some(known) = &context.known {
        extensions.insert(known.clone());
    }
    if let Some(authorization) = Authorization::of(&header.headers) {
        extensions.insert(authorization);
    }
    request
}

/// Writes a backend's response, moving what is left of the upload meanwhile.
async fn answer(
    session: &mut Session,
    upload: &mut Upload,
    response: http::Response<ResponseBody>,
    dress: &Dress<'_>,
) -> pingora::Result<()> {
    let (mut parts, mut body) = response.into_parts();
    if parts.status.is_informational() {
        // There is no way on from here: the backend has returned.
        error!(
            http.status = parts.status.as_u16(),
            "the backend answered with an interim status; the client gets a 500"
        );
        return Answer::internal().send(session, dress).await;
    }
    let request = session.req_header();
    let framing = Framing::of(&request.method, parts.status, &parts.headers, &body);
    framing.apply(request.version, &mut parts.headers);
    mark_api(request.uri.path(), &mut parts.headers);

    let mut header = Box::new(ResponseHeader::from(parts));
    dress.put_on(session, &mut header);
    let Framing::Body { length } = framing else {
        session.write_response_header(header, true).await?;
        return session.write_response_body(None, true).await;
    };
    session.write_response_header(header, false).await?;

    let mut owed = length;
    let mut in_one_go = 0;
    loop {
        let frame = if upload.is_open() {
            tokio::select! {
                biased;
                frame = body.frame() => frame,
                step = upload.step(session) => {
                    upload.apply(step, session).await?;
                    continue;
                }
            }
        } else {
            body.frame().await
        };
        let frame = match frame {
            None => break,
            Some(Ok(frame)) => frame,
            Some(Err(cause)) => {
                return Err(pingora::Error::because(
                    ErrorType::InternalError,
                    "the backend's response broke off",
                    cause,
                ));
            }
        };
        // Trailers have no place in the registry's API.
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        if let Some(owed) = &mut owed {
            let sent = data.len() as u64;
            *owed = owed.checked_sub(sent).ok_or_else(|| wrong_length(length))?;
        }
        while data.len() > LARGEST_PIECE {
            let piece = data.split_to(LARGEST_PIECE);
            session.write_response_body(Some(piece), false).await?;
        }
        if body.is_end_stream() && owed.is_none_or(|owed| owed == 0) {
            return session.write_response_body(Some(data), true).await;
        }
        in_one_go += data.len();
        session.write_response_body(Some(data), false).await?;
        if in_one_go >= IN_ONE_GO {
            in_one_go = 0;
            tokio::task::yield_now().await;
        }
    }
    if owed.is_some_and(|owed| owed > 0) {
        return Err(wrong_length(length));
    }
    session.write_response_body(None, true).await
}

fn wrong_length(promised: Option<u64>) -> Box<pingora::Error> {
    pingora::Error::explain(
        ErrorType::InternalError,
        format!(
            "the backend's response is not of the {} bytes that its header promised",
            promised.unwrap_or_default()
        ),
    )
}
