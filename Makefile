# adsidecar: `make` lists what there is. Nothing needs to be installed but Go, Python 3 and make.
# The recipes are plain POSIX shell and GNU make 3.81, which is what macOS ships.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

BIN := bin
# Tools are pinned in a module of their own, so that their dependencies are not the product's.
LINT := go tool -modfile=tools/go.mod golangci-lint

# The race detector needs a C compiler, which a fresh machine may not have; go reports that as CGO_ENABLED=0.
RACE = $$(test "$$(go env CGO_ENABLED)" = 1 && echo -race)
# Everything with goroutines runs under it. The filter is single-threaded, envoy/ is pure, and e2e measures real time.
PACKAGES = go list ./... | sed 's|^adsidecar|.|'
RACE_PACKAGES = $$($(PACKAGES) | grep -vE '^\./(filter|envoy|e2e)(/|$$)|^\./(users/(cognito|dynamostore)|controlplane/(source|revision/dynamostore))$$')
OTHER_PACKAGES = $$($(PACKAGES) | grep -E '^\./(filter|envoy)(/|$$)')
# These ask the AWS emulator, which comes into .venv with their first run.
AWS_ROUND = -- -count=1 -p 1 $(RACE) ./internal/cognito ./users/dynamostore ./controlplane/source ./controlplane/revision/dynamostore
UNIT_ROUNDS = -- -count=1 -shuffle=on $(RACE) $(RACE_PACKAGES) -- -count=1 -shuffle=on $(OTHER_PACKAGES)
# One package after the other: they measure time and start Envoys.
E2E_ROUND = -- -count=1 -p 1 -timeout 60m

FUZZTIME ?= 10s

##@ Use

.PHONY: help
help: ## show this help
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: needs-python build ## start everything on this machine, at http://localhost:8080; Ctrl-C stops it (or STORE=dynamodb)
	go build -o $(BIN)/adsidecar-local ./e2e/local
	@exec $(BIN)/adsidecar-local

##@ Build

.PHONY: build
build: needs-go wasm ## build the programs and the filter: bin/adsidecar, bin/adsidecar-users, bin/adsidecar.wasm
	go build -o $(BIN)/adsidecar ./controlplane
	go build -o $(BIN)/adsidecar-users ./users

.PHONY: wasm
wasm: needs-go ## build the filter alone
	go run ./filter/build -o $(BIN)/adsidecar.wasm

.PHONY: wasm-test
wasm-test: needs-go # the filter with the hooks that tests on a real Envoy use
	go run ./filter/build -o $(BIN)/adsidecar-test.wasm -tags testhooks

.PHONY: clean
clean: ## remove what was built and downloaded here: bin, .run, .venv
	rm -rf $(BIN) .run .venv

##@ Test

.PHONY: test
test: needs-python vet build wasm-test testrun ## run all tests, on real parts too; ends with their number
	@sh tools/browser.sh
	@$(BIN)/testrun $(UNIT_ROUNDS) $(AWS_ROUND) $(E2E_ROUND) ./e2e/...

.PHONY: test-unit
test-unit: vet testrun ## run the tests that need nothing but Go
	@$(BIN)/testrun $(UNIT_ROUNDS)

.PHONY: e2e
e2e: needs-python build wasm-test testrun ## run the tests on a real Envoy; E2E='-run TestName ./e2e' chooses
	@$(BIN)/testrun $(E2E_ROUND) $(or $(E2E),./e2e/...)

.PHONY: bench bench-push bench-fleet bench-quick
bench: bench-build ## measure the request path and the user service, in about 10 minutes; bench/results, docs/PERFORMANCE.md
	@$(BIN)/adsidecar-bench $(BENCH) requests users; status=$$?; $(BIN)/adsidecar-bench report && exit $$status
bench-push: bench-build ## measure the way of a changed document to all workers; BENCH='-only push/limit' chooses a part
	@$(BIN)/adsidecar-bench $(BENCH) push; status=$$?; $(BIN)/adsidecar-bench report && exit $$status
bench-fleet: bench-build ## measure a control plane with 1,000 Envoys
	@$(BIN)/adsidecar-bench $(BENCH) fleet; status=$$?; $(BIN)/adsidecar-bench report && exit $$status
bench-quick: bench-build ## measure a little of everything, in about 2 minutes; bench/results/quick-*.json
	@exec $(BIN)/adsidecar-bench $(BENCH) quick

.PHONY: bench-build
bench-build: needs-python build
	go build -o $(BIN)/adsidecar-bench ./e2e/bench

.PHONY: long
long: testrun ## compare compiler and index with the reference model 1,000,000 times
	@$(BIN)/testrun -- -count=1 -timeout 60m -run TestReference ./controlplane/compile -long

.PHONY: fuzz
fuzz: needs-go ## run each fuzz test for FUZZTIME (10s)
	@grep -rlE '^func Fuzz' --include='*_test.go' . | sort | while read -r file; do \
		for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' "$$file"); do \
			echo "== $$target in $$(dirname "$$file")"; \
			go test "$$(dirname "$$file")" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) </dev/null || exit 1; \
		done; \
	done

.PHONY: golden
golden: needs-go ## rewrite the golden files of envoy/; review the difference like code
	go test ./envoy -update

##@ Style

.PHONY: check
check: fmt lint test ## everything that CI checks, after formatting

.PHONY: fmt
fmt: needs-go ## format the Go files
	$(LINT) fmt

.PHONY: lint
lint: lint-modules lint-scripts lint-go ## check style, formatting, go.mod and scripts

# Steps of the targets above.

.PHONY: lint-modules lint-scripts lint-go
lint-modules: needs-go
	go mod tidy -diff
	cd tools && go mod tidy -diff
	cd monitoring/promcheck && go mod tidy -diff
lint-scripts: needs-python
	sh -n tools/preflight.sh
	sh -n tools/browser.sh
	bash -n .ci/run
	find . -name '*.py' -not -path './.*' -exec env PYTHONPYCACHEPREFIX=.run/pycache $${PYTHON:-python3} -m py_compile {} +
lint-go: needs-go
	$(LINT) run ./...
	$(LINT) run --build-tags testhooks ./filter/...

.PHONY: vet
vet: needs-go
	go vet ./...
	go vet -tags testhooks ./filter/...

.PHONY: testrun
testrun: needs-go
	go build -o $(BIN)/testrun ./internal/testrun

.PHONY: needs-go needs-python
needs-go:
	@sh tools/preflight.sh go
needs-python:
	@sh tools/preflight.sh go python
