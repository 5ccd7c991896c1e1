# shellcheck shell=bash disable=SC2154 # root, ci, work: set by .ci/run
# SPDX-License-Identifier: Apache-2.0
# Everything that the stages need and `./bootstrap install` does not bring.

ci_packages=(git binutils file shellcheck cppcheck clang clang-format gcovr abigail-tools qemu-user gcc-aarch64-linux-gnu)

install_packages() {
    local missing=() package prefix=()
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    [[ $(id -u) == 0 ]] || prefix=(sudo -n)
    printf 'installing %s\n' "${missing[*]}"
    # Once for both calls; a third party's broken list must not stop us.
    if [[ ! -f $work/updated ]]; then
        "${prefix[@]}" apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 update || true
        : >"$work/updated"
    fi
    quietly "$work/packages.log" "${prefix[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
        -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 --no-install-recommends install "${missing[@]}"
}

stage_packages() {
    rm -f -- "$work/updated"
    quietly "$work/bootstrap.log" "$root/bootstrap" install
    install_packages "${ci_packages[@]}"
    # The run-time libraries must be of the same release as the compiler.
    local release
    release=$(clang -dumpversion | cut -d. -f1)
    install_packages "libclang-rt-$release-dev" "libomp-$release-dev"
}
