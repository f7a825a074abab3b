# Coatcheck. "make" lists what can be done here.

SHELL := /bin/bash
GO    ?= go

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/coatcheck-mcp/coatcheck/internal/buildinfo.version=$(VERSION)
# Both programs are static and need no C. The shim speaks HTTP/1.1 only, which a
# websocket needs anyway, and starts faster without the rest.
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'
SHIM    := $(BUILD) -tags nethttpomithttp2

# What the tests need besides Go; written by "make testenv".
ENV := set -a; . .cache/testenv; set +a;

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build both programs into bin/
	$(SHIM) -o bin/ ./cmd/coatcheck
	$(BUILD) -o bin/ ./cmd/coatcheck-vault

.PHONY: demo
demo: build ## Show the main job from nothing, on this machine (KEEP=1 keeps it running)
	@bin/coatcheck-vault demo $(if $(KEEP),--keep)

.PHONY: testenv
testenv:
	@internal/testenv/prepare.sh

# Some packages wait more than they work.
ATONCE := $(shell expr $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1)

.PHONY: test
test: testenv ## Run the tests; what this machine lacks is named and left out
	@$(ENV) CGO_ENABLED=$${COATCHECK_RACE:+1} $(GO) test -p $(ATONCE) -vet=off $$COATCHECK_RACE -timeout 15m ./... # "make lint" vets

.PHONY: golden
golden: ## Write the golden files anew
	$(GO) test ./vault/markup/... ./vault/tools/... ./cmd/... -run 'Golden|Help|Script' -update

.PHONY: check
check: test check-rest ## What CI runs: tests, formatting, vet, staticcheck, tidy modules, other platforms

.PHONY: check-rest
check-rest: lint
	@for target in windows/amd64 darwin/arm64 linux/arm64; do \
	  echo "build $$target"; \
	  CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) build -o /dev/null ./cmd/coatcheck && \
	  CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) build -o /dev/null ./cmd/coatcheck-vault || exit 1; \
	done

.PHONY: lint
lint: ## Formatting, vet, staticcheck, tidy modules
	@files=$$(gofmt -l cmd internal shim vault); if [ -n "$$files" ]; then echo "not formatted: $$files"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool -modfile=internal/devtools/go.mod staticcheck ./...
	$(GO) mod tidy -diff

.PHONY: bench
bench: build testenv ## Measure against peers in one run and print the ratios
	@$(ENV) $(GO) run ./internal/bench/cmd -bin bin

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (default 1m)
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for name in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$name"; $(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime $${FUZZTIME:-1m} -fuzzminimizetime 2s $$pkg; \
	  done; done

.PHONY: soak
soak: build testenv ## The long runs at full size: kills, cuts, load
	@$(ENV) COATCHECK_SOAK=1 $(GO) test -timeout 2h -run Soak -v ./internal/e2e/...

.PHONY: release
release: check ## Static binaries for all platforms in dist/, after a check for known vulnerabilities
	$(GO) tool -modfile=internal/devtools/go.mod govulncheck ./...
	@for target in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64; do \
	  ext=; case $$target in windows/*) ext=.exe;; esac; \
	  export GOOS=$${target%/*} GOARCH=$${target#*/}; suffix=$$GOOS-$$GOARCH$$ext; \
	  echo "dist/*-$$suffix"; \
	  $(SHIM) -o dist/coatcheck-$$suffix ./cmd/coatcheck && \
	  $(BUILD) -o dist/coatcheck-vault-$$suffix ./cmd/coatcheck-vault || exit 1; \
	done
	@cd dist && sha256sum coatcheck* > SHA256SUMS
