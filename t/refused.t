# Where a directory's credentials never go: to another host, whatever it is
# that leads there, and to a peer that cannot be trusted.

use strict;
use warnings;

use lib 't/lib';
use IO::Select;
use IO::Socket::INET;
use PKI::Test;
use PKI::Directory;

my $list = '^/v1\.0/devices\?(?!.*skiptoken)';
my $mark = '^/v1\.0/devices/delta\?.*latest';

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, entra => {
    text => 'resources devices; full 0; page 2; backoff 100ms;',
});
my $n = $d->{nginx};
my $g = $d->{sim}{graph};
my @cert = map { $d->cert('device', Device => $g->add('device')->{deviceId}) }
           1 .. 3;

# whoever connects to it is seen

my $other = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1',
                                  ReuseAddr => 1) or die "no port: $!\n";
my $port = $other->sockport;
my $own = $g->port;

sub nobody {
    ok(!IO::Select->new($other)->can_read(0), "$_[0]: nobody connects");
}

# one fault, and how the log tells of it; then the next round is good

sub refused {
    my ($what, $path, $do, $line) = @_;

    my $said = () = $n->log =~ /$line/g;

    $g->fault({ path => $path, do => $do });
    ok(wait_until(10, sub { !@{ $g->faults } }), "$what: told");
    ok(wait_until(5, sub { $said < (() = $n->log =~ /$line/g) }),
       "$what: refused, with a line");
    nobody($what);
    $d->round('entra', 'devices');
}

$d->becomes($_, 'good', 'enrolled') for @cert;

# C17: redirects, of listings, of lookups and of the token

for (301, 302, 303, 307, 308) {
    refused("C17: $_", $list, { status => $_, redirect =>
            "http://127.0.0.1:$port/v1.0/devices" }, qr/status $_/);
}

refused('C17: to the same host', $list, { redirect => $g->url('/v1.0/users') },
        qr/status 302/);
is(scalar $g->log('^/v1.0/users'), 0, 'C17: not followed either');

$g->fault({ path => '^/v1\.0/devices\(', times => 0, do => {
    redirect => "http://127.0.0.1:$port/v1.0/devices" }});
isnt($d->status($d->cert('nobody', Device =>
                         '00000000-0000-4000-8000-000000000017')), 'good',
     'C17: a lookup that leads away is no answer');
ok(wait_until(5, sub { grep { $_->{status} == 302 }
                       $g->log('^/v1\.0/devices\(') }), 'C17: a lookup');
nobody('C17: a lookup');
$g->faults_clear;

$g->fault({ path => $list, do => { expire_token => JSON::PP::true } },
          { path => 'oauth2', do => { status => 307, redirect =>
            "http://127.0.0.1:$port/token" }});
ok(wait_until(5, sub { !@{ $g->faults } }), 'C17: the token endpoint');
ok(wait_until(5, sub { $n->log =~ /token.*status 307|307.*token/ }),
   'C17: refused, with a line') or diag($n->log);
nobody('C17: the token endpoint');
$d->round('entra', 'devices');
is($d->status($_), 'good', 'C17: nothing has changed') for @cert;

# C18: links to other places

my @links = (
    "http://127.0.0.1:$port/v1.0/devices?\$skiptoken=x",
    "https://127.0.0.1:$own/v1.0/devices",
    "https://127.0.0.1:$port/v1.0/devices",
    "http://localhost:$own/v1.0/devices",
    "http://127.0.0.1:$own\@127.0.0.1:$port/v1.0/devices",
    "http://127.0.0.1:$port\\\@127.0.0.1:$own/v1.0/devices",
    "http://127.0.0.1:$own#\@127.0.0.1:$port/v1.0/devices",
    "http://127.0.0.1:${own}0/v1.0/devices", "http://127.0.0.1/v1.0/devices",
    "//127.0.0.1:$port/v1.0/devices", '/v1.0/devices', 'file:///etc/passwd',
    "gopher://127.0.0.1:$port/_GET", 'http://', '', 17, {},
    "http://127.0.0.1:$own/v1.0/devices\r\nHost: x",
);

for (@links) {
    my $name = ref || $_ eq '' ? 'nothing' : $_ =~ s/[\r\n].*/.../sr;

    refused("C18: $name", $list, { nextLink => $_ }, qr/\[error\].*link/);
}

is(scalar(grep { $_->{method} ne 'GET' && $_->{target} !~ /oauth2/ }
          $g->log), 0, 'C18: nothing else was asked');
is($d->status($_), 'good', 'C18: nothing has changed') for @cert;

# a link for later, and one of a header

my $e = PKI::Directory->new($t, entra => {
    name => 'later', sim => $g, text => 'resources devices; backoff 100ms;',
});

$n->stop;
$e->becomes($_, 'good', 'C18: by delta') for @cert;
$g->log_clear;
$g->fault({ path => '/delta\?.*deltatoken',
            do => { deltaLink => "http://127.0.0.1:$port/v1.0/delta" } });
ok(wait_until(5, sub { !@{ $g->faults } }), 'C18: a delta link');
ok(wait_until(5, sub { $g->log($mark) }), 'C18: all is listed anew');
nobody('C18: a delta link');
$e->round('later', 'devices');
$g->log_clear;
$g->fault({ path => '/delta\?.*deltatoken', do => { expired => 'B', headers => {
    Location => "http://127.0.0.1:$port/v1.0/delta?\$deltatoken=" } }});
ok(wait_until(5, sub { $g->log($mark) }), 'C18: a Location');
nobody('C18: a Location');
$g->change('device', $g->get('device')->[0]{id},
           accountEnabled => JSON::PP::false);
$e->becomes($cert[0], 'hold', 'C18: goes on');
$e->{nginx}->stop;
$g->stop;

# C20: peers that are not who they should be

my $ca = $t->ca('web');
my $stranger = $t->ca('stranger');
my $ip = 'subjectAltName=IP:127.0.0.1';
my %peer = (
    right    => [$ca, $ip],
    name     => [$ca, 'subjectAltName=DNS:graph.example', qr/"name": .*TLS/],
    expired  => [$ca, $ip, qr/"expired": .*TLS/, days => -1],
    unknown  => [$stranger, $ip, qr/"unknown": .*TLS/],
    old      => [$ca, $ip, qr/"old": .*TLS/, version => 'TLSv1'],
);
my (%sim, %directories);

for (sort keys %peer) {
    my ($issuer, $ext, undef, %o) = @{ $peer{$_} };
    my $cert = $t->cert($issuer, "peer-$_", ext => "$ext\n", key => 'rsa-peer',
                        days => $o{days});

    $sim{$_} = PKI::Sim->new('graph', dir => $t->{dir}, name => "sim-$_",
                             listen => ['https://127.0.0.1:0',
                                        'http://127.0.0.1:0'],
                             tls => [$cert, "$t->{dir}/rsa-peer.key"],
                             tls_version => $o{version});
    $directories{$_} = ['entra', $e->block('entra', url => $sim{$_}->url,
                        text => "resources devices; ca_file $ca;")];
}

my $m = $t->nginx(workers => 2, issuer => 'unknown serial;',
                  directories => \%directories);

for (grep { $peer{$_}[2] } sort keys %peer) {
    ok(wait_until(5, sub { $m->log =~ $peer{$_}[2] }), "C20: $_: refused")
        or diag($m->log);
    is(scalar $sim{$_}->log, 0, "C20: $_: and not asked");
}

ok(wait_until(5, sub { $sim{right}->log($mark) }), 'C20: the right one');

my ($asked) = $sim{right}->log('oauth2');

is($asked->{scheme}, 'https', 'C20: by TLS');
ok(!(grep { $_->{rounds} } map { $_->{resources}[0] } grep {
    $_->{name} ne 'right' } values %{ $e->directories(nginx => $m) }),
   'C20: no round of the others');
$m->stop;

# the system's authorities do not know ours

my $s = $t->nginx(directories => { system => ['entra', $e->block('entra',
    url => $sim{right}->url, text => 'resources devices;')] });

ok(wait_until(5, sub { $s->log =~ /"system": .*TLS/ }), 'C20: no ca_file')
    or diag($s->log);
unlike($_->log, qr/S3cr/, 'no secret in a log') for $n, $m, $s, $e->{nginx};

$t->done;
