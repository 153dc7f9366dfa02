//! Small public documents that lie elsewhere than at Google, over the same client: no redirect is
//! followed, no answer waited for without end, no long one read.

use hyper::header::ACCEPT;
use hyper::{Method, Request};
use url::Url;

use super::Google;
use super::error::{Failure, Verdict};

impl Google {
    /// What lies at `address`, if the answer is a plain success.
    pub async fn fetch(&self, address: &Url) -> Result<Vec<u8>, Failure> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(address.as_str())
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .body(Vec::new())
            .map_err(|_| Failure::new(Verdict::Operator, None, None))?;
        let answer = self.send("fetch", request).await?;
        if answer.status == 200 {
            return Ok(answer.body.to_vec());
        }
        Err(Failure::unknown(Some(answer.status)))
    }
}
