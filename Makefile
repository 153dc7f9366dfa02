# `make test`: everything a change must pass. `make test-long`: the same, with the long runs.
# One build serves all of it (docs/decisions/0001-one-build.md).

.PHONY: test test-long needs tools audit

test: needs tools
	cargo fmt --check
	cargo clippy --release --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps --locked
	cargo build --release --locked
	cargo test --release --locked
	./target/release/calbridge demo --once

test-long: export TEST_LONG = 1
test-long: test audit

# Advisories, licences and bans (deny.toml); needs the network.
audit:
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check; \
	else echo "cargo-deny is not installed: advisories and licences were not checked."; fi

needs:
	@.ci/needs

tools:
	@cargo --version >/dev/null || { echo "Rust is missing: see https://rustup.rs" >&2; exit 1; }
	@cargo fmt --version >/dev/null && cargo clippy --version >/dev/null \
	  || { echo "Run: rustup component add rustfmt clippy" >&2; exit 1; }
