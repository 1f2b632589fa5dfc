.PHONY: test lint

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings

test: lint
	cargo test --workspace
