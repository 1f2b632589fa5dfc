.PHONY: run test lint bench bench-api

# ONCE=1 ends after the demonstration.
run:
	@scripts/install run
	cargo build --locked --release --package pinhole --package pinhole-gateway --package pinhole-demo
	@scripts/with-namespaces target/release/pinhole-demo $(if $(ONCE),--once)

test:
	@scripts/install test
	scripts/lint
	cargo test --locked --workspace --doc --quiet
	scripts/with-namespaces cargo test --locked --workspace --tests
	scripts/check-client

lint:
	scripts/lint

bench:
	@scripts/install bench
	cargo bench --locked --package pinhole-dataplane --bench engine
	scripts/with-namespaces cargo bench --locked --package pinhole-gateway --bench wire

bench-api:
	@scripts/install bench
	cargo bench --locked --package pinhole --bench api
