# scripts/run as a newcomer meets it: files, answers, what it prints to try,
# a second start, clear sentences.

use strict;
use warnings;

use IO::Socket::INET;
use POSIX qw(:sys_wait_h);

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $dir = "$t->{dir}/demo";
my $port = free_port();
my $script = "$PKI::Test::top/scripts/run";
my $url = "http://127.0.0.1:$port";
my $pid;

END { kill 'TERM', $pid if $pid }

sub start {
    my $log = "$t->{dir}/run.log";

    $pid = fork // die "fork: $!\n";

    if (!$pid) {
        open STDOUT, '>', $log;
        open STDERR, '>&', \*STDOUT;
        chdir '/';
        exec($script, '--port', $port, '--dir', $dir, '--workers', 2)
            or POSIX::_exit(127);
    }

    ok(wait_until(120, sub { -e "$dir/ready" || waitpid($pid, WNOHANG) > 0 })
       && -e "$dir/ready", 'ready') or diag(slurp($log));

    wait_until(5, sub { slurp($log) =~ /Ctrl-C/ });
    return slurp($log);
}

sub stop {
    my ($signal) = @_;

    my $status;

    kill $signal, $pid;
    ok(wait_until(20, sub { waitpid($pid, WNOHANG) > 0
                            and $status = $?, 1 }), "ends with SIG$signal");
    undef $pid;

    is($status, 0, 'exit code 0');
    ok(!-e "$dir/ready", 'not ready any more');
    isnt((run('redis-cli', '-s', "$dir/redis.sock", 'ping'))[0], 0,
         'no redis-server is left');
    ok(!IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port),
       'no nginx is left');
    ok(!IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $_),
       'no simulator is left')
        for map { slurp("$dir/$_.port") =~ /(\d+)/ } qw(graph jamf);
}

sub status_of {
    my ($name) = @_;

    my ($rc, $text) = run('openssl', 'ocsp', '-issuer', "$dir/ca.pem", '-cert',
                          "$dir/$name.pem", '-CAfile', "$dir/ca.pem", '-url',
                          "$url/ocsp");

    return $text unless $text =~ /Response verify OK/;
    return $text =~ /\Q$dir\E\/$name\.pem: (\w+)/ ? $1 : $text;
}


my $printed = start();

for (qw(ca.pem good.pem good.key revoked.pem revoked.key hold.pem hold.key
        unissued.pem unissued.key token nginx.pid nginx.conf))
{
    ok(-s "$dir/$_", "$_ is there");
}

my @bound = qw(device laptop user computer tablet person);

is(status_of($_), 'good', "$_: good, as the simulators know it") for @bound;
is(status_of($_->[0]), $_->[1], "$_->[0]: $_->[1]")
    for ['good', 'good'], ['revoked', 'revoked'], ['hold', 'revoked'],
        ['unissued', 'unknown'];

like(run_ok('openssl', 'x509', '-in', "$dir/good.pem", '-noout', '-text'),
     qr{OCSP - URI:$url/ocsp}, 'the certificate names the responder');
like((run('curl', '-s', "$url/status"))[1], qr/^\{/, 'the status page');
is((run('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}',
        "$url/api/manage/certificates/01"))[1], '401', 'the API is closed');
is((stat "$dir/token")[2] & 077, 0, 'the token is for the owner only');
is((stat "$dir/ca.key")[2] & 077, 0, 'the key of the CA too');

# the calls in README, one after the other, as a shell takes them

my ($calls) = slurp("$PKI::Test::top/README.md") =~ /^## REST\n(.*?)^## What/ms;
my $sh = "set -e\n" . join "\n", $calls =~ /^    (.*)/mg;

$sh =~ s{\.build/demo}{$dir}g;
$sh =~ s{127\.0\.0\.1:8080}{127.0.0.1:$port}g;

is($sh =~ s{\bcurl }{curl -fsS }g, 33, 'the calls in README');

my ($failed, $replies) = run('sh', '-c', $sh);

is($failed, 0, 'which succeed') or diag($replies);
like($replies, qr/"status":"good".*"revocationReason":"CertificateHold"
                  .*"changed":true.*"revocationReason":null
                  .*"name":"entra".*"accepted".*"accepted"
                  .*"changed":true.*\["deleted"\].*pki_ocsp_answers_total.*"healthy":true/xs,
     'and reply what README says');
like($replies, qr/"result":"wouldRevoke".*"complete":true
                  .*"result":"imported".*"result":"same".*"same":1
                  .*"openapi":\ "3\.0\.3"/xs, 'of many, too');
like($replies, qr/Certificate\ Revocation\ List.*nextUpdate=
                  .*"items":.*"items":/xs, 'the list, and what Intune has');

for (['new.cer', 'DER', 'new.example.com'],
     ['new.pem', 'PEM', 'new.example.com'], ['est.pem', 'PEM', 'Demo CA'],
     ['ca.cer', 'DER', 'Demo CA'])
{
    my ($file, $form, $name) = @$_;

    like(run_ok('openssl', 'x509', '-inform', $form, '-in', "$dir/$file",
                '-noout', '-subject'), qr/CN = \Q$name\E$/, "$file is there");
}


# the commands that it prints, as a shell takes them

my @try = $printed =~ /^    ((?:openssl|curl|sleep) ?(?:.*\\\n)*.*)/mg;

is(scalar @try, 11, 'eleven commands to try');
like((run('sh', '-c', $try[0]))[1], qr/good\.pem: good/, 'good');
is((run('sh', '-c', $try[1]))[0], 0, 'a request');
is((run('sh', '-c', $try[2]))[0], 0, 'is sent');
like(run_ok('openssl', 'x509', '-inform', 'DER', '-in', "$dir/www.der",
            '-noout', '-text'),
     qr{Subject:\ CN\ =\ www\.example\.com
        .*TLS\ Web\ Server\ Authentication
        .*URI:\Q$url\E/ca.*URI:\Q$url\E/ocsp}xs, 'and comes back issued');
like((run('sh', '-c', $try[3]))[1],
     qr/"subject":"CN=www\.example\.com"/, 'and is found');
is((run('sh', '-c', $try[4]))[0], 0, 'a revocation');

my $good = serial_of("$dir/good.pem");

like((run('sh', '-c', $try[5]))[1], qr/Serial Number: $good/,
     'is in the list that follows');
like((run('sh', '-c', $try[6]))[1], qr/good\.pem: revoked/, 'revoked');
like((run('sh', '-c', $try[7]))[1], qr/device\.pem: good/, 'a device: good');

for (['disables it', 8, 'revoked'], ['enables it', 9, 'good'],
     ['deletes it', 10, 'revoked'])
{
    my ($what, $i, $status) = @$_;

    is((run('sh', '-c', $try[$i]))[0], 0, "a command that $what");
    ok(wait_until(10, sub {
           (run('sh', '-c', $try[7]))[1] =~ /device\.pem: $status/
       }), "and the device is $status");
}


# mistakes

for (['--port', 'http'], ['--port', 0], ['--port', 70000], ['--port'],
     ['--workers', 0], ['--nonsense'], ['--port', $port],
     ['--dir', '/dev/null/x'], ['--dir', "$dir/" . 'long' x 30])
{
    my @args = @$_;
    my ($rc, $text) = run($script, '--dir', "$t->{dir}/other", @args);

    is($rc, 1, "@args: refused");
    like($text, qr/scripts\/run/, 'with a sentence');
    like($text, qr/taken/, 'that says why') if "@args" eq "--port $port";
}

is((run($script, '--help'))[0], 0, '--help');


# again

my %old = map { $_ => slurp("$dir/$_") } qw(ca.pem good.pem token);

stop('INT');
start();
is(slurp("$dir/$_"), $old{$_}, "$_ is kept") for sort keys %old;
is(status_of('good'), 'revoked', 'and so is the revocation');
is(status_of('hold'), 'revoked', 'and the hold');
is(status_of('device'), 'revoked', 'and the deletion');
is(status_of($_), 'good', "$_ is good") for @bound[1 .. $#bound];

my ($rc, $text) = run($script, '--port', free_port(), '--dir', $dir);

is($rc, 1, 'a second one in the same directory');
like($text, qr/already/, 'says why');
ok(!-e "$dir/other", 'and leaves nothing');
stop('TERM');

unlike(slurp("$dir/error.log"), qr/\[(alert|emerg|crit|error)\]/,
       'nothing in the log');

$t->done;
