.PHONY: run test fuzz fuzz-api lint bench-engine bench-wire bench-api

# ONCE=1 ends after the demonstration.
run:
	@scripts/install run
	cargo build --locked --release --package pinhole --package pinhole-gateway --package pinhole-demo
	@scripts/with-namespaces target/release/pinhole-demo $(if $(ONCE),--once)

test:
	@scripts/install test
	scripts/lint
	scripts/check-client
	@scripts/install-issuer >/dev/null
	scripts/fuzz-api 2 1
	cargo test --locked --workspace --doc --quiet
	scripts/with-namespaces cargo test --locked --workspace --tests

# Looks for inputs that break the engine: SECONDS of each of TARGETS (all), then as many random scripts and networks.
fuzz:
	@scripts/install fuzz
	scripts/fuzz $(or $(SECONDS),600) $(TARGETS)
	PINHOLE_RUNS=$(or $(RUNS),5000) cargo test --locked --profile fuzz --package pinhole-dataplane --test model --test sim

# Holds the API against its document: EXAMPLES of each operation, SEED to repeat a run.
fuzz-api:
	@scripts/install test
	scripts/fuzz-api $(or $(EXAMPLES),100) $(SEED)

lint:
	scripts/lint

# The engine against a bare loop.
bench-engine:
	@scripts/install bench
	cargo bench --locked --package pinhole-dataplane --bench engine

# The gateway against the kernel.
bench-wire:
	@scripts/install bench
	scripts/with-namespaces cargo bench --locked --package pinhole-gateway --bench wire

# The REST API against a bare handler, and ten thousand gateways.
bench-api:
	@scripts/install bench
	cargo bench --locked --package pinhole --bench api
	cargo bench --locked --package pinhole --bench fleet
