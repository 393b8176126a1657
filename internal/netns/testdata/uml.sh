#!/bin/sh
# Runs the tests of a package inside user-mode-linux: a kernel that is an ordinary process, and that has
# all of tc, for machines whose own kernel lacks netem. Arguments go to the test binary.
#
#   internal/netns/testdata/uml.sh -test.v -test.run Netem
#
# It needs the package user-mode-linux of Debian, installed or unpacked into the folder UML_ROOT (apt-get
# download user-mode-linux; dpkg -x …), and insmod or busybox, which BUSYBOX may name. PACKAGE is the package to
# test. The machine's files are seen read-only in there. On processors with AMX it takes user-mode-linux 6.13 or
# newer: older ones have too little room for the registers, and end with "ptrace set fp regs failed".
set -eu
cd "$(dirname "$0")/.."
package=${PACKAGE:-.}
root=${UML_ROOT:-}
kernel=$root/usr/bin/linux.uml
modules=$(echo "$root"/usr/lib/uml/modules/*)/kernel
insmod=$(command -v insmod || echo "${BUSYBOX:-busybox} insmod")
[ -x "$kernel" ] || { echo "there is no $kernel; see the head of this file" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
go test -c -o "$work/test" "$package"
for word; do words="${words:-} '$word'"; done
cat >"$work/init" <<END
#!/bin/sh
export PATH=$PATH HOME=/run TMPDIR=/run
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
for m in lib/crc-ccitt net/ipv6/ipv6 net/llc/llc net/802/stp net/bridge/bridge drivers/net/veth \\
	net/sched/sch_htb net/sched/cls_u32 net/sched/sch_netem; do
	[ ! -f $modules/\$m.ko ] || $insmod $modules/\$m.ko
done
ip link set lo up
cd "$(cd "$package" && pwd)"
$work/test -test.timeout 300s ${words:-}
echo "uml: exit \$?"
echo o >/proc/sysrq-trigger
sleep 10
END
chmod +x "$work/init"
timeout 400 "$kernel" root=/dev/root rootfstype=hostfs rootflags=/ ro mem=2G quiet \
	init="$work/init" con=null con0=fd:0,fd:1 </dev/null >"$work/log" 2>&1 || true
sed -n '/^===\|^---\|^ *--- \|_test.go:\|^ok\|^PASS\|^FAIL\|^panic\|insmod/p' "$work/log"
if ! grep -q '^uml: exit' "$work/log"; then
	echo "the tests did not come to an end; the kernel's first words:" >&2
	head -n 20 "$work/log" >&2
	exit 1
fi
# A test of netem that is skipped here would be skipped everywhere.
grep -q '^uml: exit 0' "$work/log" && ! grep -q '^--- SKIP: TestNetem' "$work/log"
