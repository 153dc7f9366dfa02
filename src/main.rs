//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all, while nothing can have opened a connection: with two providers linked and none
    // chosen, the first handshake would panic.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("calbridge: another TLS provider was installed first");
        return ExitCode::FAILURE;
    }
    calbridge::cli::run()
}
