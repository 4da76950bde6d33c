/**
 * What other programs do for us, since Node can neither make devices nor touch extended attributes. One process
 * serves a whole unpacking. It reads requests, one a line, and answers each with one line, in order:
 *
 * ```text
 * set PATH NAME VALUE             0 | errno        everything but numbers in hex; the last component isn't followed
 * get PATH NAME                   0 VALUE | errno
 * list PATH                       0 NAMES | errno  each name ends with a NUL
 * node PATH MODE MAJOR MINOR      0 | errno        MODE with its type, as in mknod(2)
 * ```
 */

/** System call numbers: lsetxattr, lgetxattr, llistxattr, mknodat. Perl has no other way to these calls. */
const GENERIC = [6, 9, 12, 33];
export const SYSCALLS: Readonly<Record<string, readonly number[]>> = {
  x64: [189, 192, 195, 259],
  arm64: GENERIC,
  riscv64: GENERIC,
  loong64: GENERIC,
  ppc64: [210, 213, 216, 288],
  s390x: [225, 228, 231, 290],
};

/** Takes the four numbers as arguments. */
export const PERL: string = String.raw`
use strict;
my ($lset, $lget, $llist, $mknodat) = map { $_ + 0 } @ARGV;
$| = 1;
sub answer { my ($failed) = @_; return $failed == -1 ? $! + 0 : 0 }
while (my $line = <STDIN>) {
  chomp $line;
  my ($verb, $path, @rest) = split / /, $line, -1;
  $path = pack("H*", $path);
  if ($verb eq "set") {
    my ($name, $value) = map { pack("H*", $_) } @rest;
    print answer(syscall($lset, $path, $name, $value, length($value), 0)), "\n";
  } elsif ($verb eq "get") {
    my $name = pack("H*", $rest[0]);
    my $value = "\0" x 65536;
    my $length = syscall($lget, $path, $name, $value, 65536);
    print $length == -1 ? ($! + 0) : "0 " . unpack("H*", substr($value, 0, $length)), "\n";
  } elsif ($verb eq "list") {
    my $names = "\0" x 65536;
    my $length = syscall($llist, $path, $names, 65536);
    print $length == -1 ? ($! + 0) : "0 " . unpack("H*", substr($names, 0, $length)), "\n";
  } else {
    my ($mode, $major, $minor) = map { $_ + 0 } @rest;
    my $device = ($minor & 0xff) | ($major << 8) | (($minor & ~0xff) << 12);
    my $fits = $major <= 0xfff && $minor <= 0xfffff;
    print $fits ? answer(syscall($mknodat, -100, $path, $mode, $device)) : 22, "\n";
  }
}
`;

export const PYTHON: string = `
import os, sys
out = sys.stdout
for line in sys.stdin:
    verb, path, *rest = line.rstrip("\\n").split(" ")
    path = bytes.fromhex(path)
    try:
        if verb == "set":
            os.setxattr(path, bytes.fromhex(rest[0]), bytes.fromhex(rest[1]), follow_symlinks=False)
            answer = "0"
        elif verb == "get":
            answer = "0 " + os.getxattr(path, bytes.fromhex(rest[0]), follow_symlinks=False).hex()
        elif verb == "list":
            names = os.listxattr(path, follow_symlinks=False)
            answer = "0 " + b"".join(os.fsencode(name) + b"\\0" for name in names).hex()
        else:
            os.mknod(path, int(rest[0]), os.makedev(int(rest[1]), int(rest[2])))
            answer = "0"
    except OSError as error:
        answer = str(error.errno)
    except (OverflowError, ValueError):
        answer = "22"
    print(answer, flush=True)
`;
