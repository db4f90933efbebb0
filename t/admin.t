# pki-admin: what it makes, records, changes and shows, and what it refuses.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my %cert = map { $_ => $t->cert($ca, $_) } qw(one two);
my $guid = '26c3cae8-fe60-43d7-bf16-a3df18ac25dc';

$t->redis;

my @redis = ('--redis', "unix:$t->{redis}{redis}{socket}");
my @issuer = (@redis, '--issuer', 'demo');

sub admin { return run($t->{admin}, @_) }

sub shows {
    my ($name, $want, @args) = @_;
    my ($rc, $text) = admin(@args);

    is($rc, 0, $name) or diag($text);
    like($text, $want, "$name: what it prints");
    return $text;
}

sub refuses {
    my ($name, $code, @args) = @_;
    my ($rc, $text) = admin(@args);

    is($rc, $code, "$name: exit code $code") or diag($text);
    like($text, qr/\S/, "$name: with a sentence");
}

sub run_der {
    my ($file) = @_;

    run_ok('openssl', 'x509', '-in', $file, '-outform', 'DER', '-out',
           "$file.der");
    return "$file.der";
}


# serial numbers

my $plain = shows('a plain serial', qr/^40[0-9A-F]{38}$/, 'serial', 'make',
                  '--kind', 'Device', '--guid', $guid);
chomp $plain;

shows('is opened', qr/Device.*\Q$guid\E/s, 'serial', 'show', $plain);
shows('SCEPman\'s own', qr/\Q$guid\E/, 'serial', 'show',
      '400C193BE8CAC32660FED743BF16A3DF18AC25DC');
shows('a user on a computer', qr/^7C/, 'serial', 'make', '--kind',
      'JamfUserWithComputer', '--id', 4, '--user', 7);

spew("$t->{dir}/keys", '3 ' . '5a' x 32 . "\n");

my $sealed = shows('a sealed serial', qr/^13[0-9A-F]{38}$/, 'serial', 'make',
                   '--kind', 'Device', '--guid', $guid, '--key-file',
                   "$t->{dir}/keys");
chomp $sealed;

shows('opens with its key', qr/\Q$guid\E/, 'serial', 'show', $sealed,
      '--key-file', "$t->{dir}/keys");
unlike((admin('serial', 'show', $sealed))[1], qr/\Q$guid\E/,
       'and not without');


# records and revocations

my $one = serial_of($cert{one});

shows('records', qr/2/, 'record', @issuer, '--source', 'API', '--requester',
      'somebody', values %cert);
shows('finds', qr/somebody/, 'find', @issuer, $one);
shows('holds', qr/./s, 'revoke', @issuer, '--reason', 6, $one);
shows('which is found', qr/hold/i, 'find', @issuer, $one);
shows('releases', qr/./s, 'release', @issuer, $one);
refuses('nothing to release', 1, 'release', @issuer, $one);
shows('revokes', qr/./s, 'revoke', @issuer, '--reason', 1, $one);
refuses('for another reason', 1, 'revoke', @issuer, '--reason', 4, $one);
refuses('releasing what is final', 1, 'release', @issuer, $one);
refuses('a serial without a record', 1, 'revoke', @issuer, '0BAD');
shows('unless told so', qr/./s, 'revoke', @issuer, '--unrecorded', '0BAD');

my $audit = $t->redis_cli('xrange', 'pki:{demo}:audit', '-', '+');

is(() = ($audit =~ /^who$/mg), 6, 'each change is in the audit stream');
is(() = ($audit =~ /^import$/mg), 2, 'and so is each record');


# what a record leaves for the search

my $bound = $t->cert($ca, 'bound', serial => $sealed, ext =>
                     "subjectAltName=DNS:bound.example.com\n");

shows('records no more', qr/recorded 0, already there 2/, 'record', @issuer,
      values %cert);
shows('another', qr/no key opens.*: 1\n.*recorded 1,/s, 'record', @issuer, $bound);
is($t->redis_cli('hlen', 'pki:{demo}:bound'), 0, 'which is bound to nothing');
is($t->redis_cli('hlen', 'pki:{demo}:thumb'), 3, 'three are found by key');

my @rows = split /\n/, $t->redis_cli('--raw', 'get', 'pki:{demo}:page:1');

is(@rows, 3, 'and are in the page');
is((grep { /^1\t.*\t$one\t.*somebody$/ } @rows), 1, 'one is revoked there');
like($rows[2], qr/\t$sealed\t[0-9A-F]{40}\tCN=bound\tDNS:bound\.example/,
     'subject and names of the last');

shows('with its key', qr/^recorded 1, already there 0, failed 0$/, 'record',
      @redis, '--issuer', 'other', '--key-file', "$t->{dir}/keys", $bound);
is($t->redis_cli('hkeys', 'pki:{other}:bound'), "device/$guid",
   'it is bound to its device');

my $der = slurp(run_der($bound));

is($t->redis_cli('strlen', "pki:{other}:der:$sealed"), length $der,
   'and the DER is kept');
refuses('an unknown source', 2, 'record', @issuer, '--source', 'nobody',
        $bound);


# objects

shows('an object', qr/./s, 'object', @redis, '--directory', 'corp', '--id',
      "device/$guid", '--state', 'disabled,risky');
shows('is found', qr/disabled,risky.*synced/s, 'find', @issuer,
      '--directory', 'corp', $plain);
shows('the same again', qr/already so/, 'object', @redis, '--directory',
      'corp', '--id', "device/$guid", '--state', 'disabled,risky');
is($t->redis_cli('exists', 'pki:{corp}:lease'), 0,
   'the lease is given back');
is($t->redis_cli('hlen', 'pki:{corp}:sync'), 5,
   'every resource has had a round');

for my $state (qw(deleted retired endpoint noncompliant removed unmanaged
                  silent missing unclear none))
{
    shows($state, qr/changed/, 'object', @redis, '--directory', 'corp',
          '--id', "device/$guid", '--state', $state);
    shows("$state is found", qr/^state: $state$/m, 'find', @issuer,
          '--directory', 'corp', $plain);
}

refuses('an unknown state', 2, 'object', @redis, '--directory', 'corp',
        '--id', 'device/1', '--state', 'happy');
refuses('an id with a space', 3, 'object', @redis, '--directory', 'corp',
        '--id', 'device 1', '--state', 'none');

$t->redis_cli('set', 'pki:{held}:lease', 'somebody 1');
refuses('a directory that is polled', 1, 'object', @redis, '--directory',
        'held', '--id', 'device/1', '--state', 'none');
is($t->redis_cli('exists', 'pki:{held}:object:device/1'), 0,
   'and nothing is written');


# names

my $upn = ['--directory', 'corp', '--redis', $redis[1]];

$t->redis_cli('hset', 'pki:{corp}:names', 'jo@example.com', "user/$guid",
              'odd@example.com', 'device/1');
shows('a name', qr{^user/\Q$guid\E$}m, 'resolve', @$upn, '--name',
      'Jo@Example.COM');
refuses('an unknown name', 1, 'resolve', @$upn, '--name', 'eve@example.com');

my $user = shows('a serial for a UPN', qr/^[0-9A-F]{40}$/m, 'serial', 'make',
                 '--kind', 'User', '--upn', 'jo@example.com', @$upn);
chomp $user;

shows('is bound to the object', qr/User.*\Q$guid\E/s, 'serial', 'show',
      $user);
refuses('an unknown UPN', 1, 'serial', 'make', '--kind', 'User', '--upn',
        'eve@example.com', @$upn);
refuses('a UPN of no user', 1, 'serial', 'make', '--kind', 'User', '--upn',
        'odd@example.com', @$upn);
refuses('a UPN of a device', 2, 'serial', 'make', '--kind', 'Device',
        '--upn', 'jo@example.com', @$upn);
refuses('a UPN without a directory', 2, 'serial', 'make', '--kind', 'User',
        '--upn', 'jo@example.com', @redis);


# tokens

my ($rc, $token) = admin('token', '--file', "$t->{dir}/tokens.new", 'eve',
                         'read');

chomp $token;
is($rc, 0, 'a token');
cmp_ok(length $token, '>=', 32, 'long enough');
like(slurp("$t->{dir}/tokens.new"), qr/^[0-9a-f]{64} read eve$/m,
     'its hash, role and name');
unlike(slurp("$t->{dir}/tokens.new"), qr/\Q$token\E/, 'and not itself');
is((stat "$t->{dir}/tokens.new")[2] & 077, 0, 'for the owner only');


# mistakes

refuses('no command', 2);
refuses('an unknown one', 2, 'nonsense');
refuses('an unknown kind', 2, 'serial', 'make', '--kind', 'Nothing');
refuses('a bad GUID', 2, 'serial', 'make', '--kind', 'Device', '--guid', 'x');
refuses('a bad serial', 2, 'find', @issuer, 'xyz');
refuses('a bad reason', 2, 'revoke', @issuer, '--reason', 7, $one);
refuses('a bad role', 2, 'token', 'eve', 'emperor');
refuses('no file', 3, 'record', @issuer, "$t->{dir}/none.pem");
refuses('no Redis', 3, 'find', '--redis', "unix:$t->{dir}/none.sock",
        '--issuer', 'demo', $one);
is((admin('--help'))[0], 0, '--help');

$t->done;
