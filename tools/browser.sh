#!/bin/sh
# browser.sh finds the browser that e2e/browser drives, or installs it where that is asked for.
#
#   sh tools/browser.sh            say whether the tests in a browser can run here; always succeeds
#   sh tools/browser.sh install    install Debian's chromium and chromedriver if they are missing; needs root
#
# Where it is installed, ADSIDECAR_REQUIRE_BROWSER=1 makes it an error that it is not found: CI sets that.
set -eu

found() {
	{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null 2>&1 &&
		command -v chromedriver >/dev/null 2>&1
}

case "${1-say}" in
say)
	if found; then
		echo "The tests in a browser run: $(chromedriver --version | cut -d' ' -f1-2)"
	else
		echo "The tests in a browser do NOT run: chromium or chromedriver is missing. As root on Debian: sh tools/browser.sh install"
	fi
	;;
install)
	if ! found; then
		command -v apt-get >/dev/null 2>&1 || {
			echo "browser.sh: there is no apt-get: install chromium and chromedriver by hand" >&2
			exit 1
		}
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver fonts-dejavu-core
	fi
	found || {
		echo "browser.sh: chromium and chromedriver are still not on PATH" >&2
		exit 1
	}
	;;
*)
	echo "usage: sh tools/browser.sh [install]" >&2
	exit 2
	;;
esac
