//! TEMP
/// t
pub async fn requested() {
    let _ = tokio::signal::ctrl_c().await;
}
/// t
pub async fn insisted() {
    std::future::pending().await
}
/// t
pub fn survive_file_size_limit() {}
