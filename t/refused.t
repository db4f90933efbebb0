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

# a fault, or several, one after the other; each ends its round

sub refused {
    my ($what, $path, @do) = @_;

    $g->log_clear;
    $g->fault(map { { path => $path, do => $_ } } @do);
    ok(wait_until(10, sub { !@{ $g->faults } }), "$what: told");
    sleep 0.3;

    my @log = map { $_->{fault} ? 'fault' : $_->{target} }
              $g->log('^/v1\.0/devices');
    my @bad = grep { $log[$_] eq 'fault' && $log[$_ + 1] !~ /$mark/ }
              0 .. $#log - 1;

    is(scalar @bad, 0, "$what: the round is over")
        or diag(map { "$log[$_ + 1]\n" } @bad);
    nobody($what);
}

$d->becomes($_, 'good', 'enrolled') for @cert;

# C17: redirects, of listings, of lookups and of the token

refused('C17: redirects', $list,
        (map { { status => $_, redirect =>
                 "http://127.0.0.1:$port/v1.0/devices" } }
             301, 302, 303, 307, 308),
        { redirect => $g->url('/v1.0/users') });
like($n->log, qr/\[error\].*status $_/, "C17: $_ is told")
    for 301, 302, 303, 307, 308;
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
    "http://127.0.0.1:${own}0/v1.0/devices", "http://127.0.0.1/v1.0/devices",
    "//127.0.0.1:$port/v1.0/devices", '/v1.0/devices', 'file:///etc/passwd',
    "gopher://127.0.0.1:$port/_GET", 'http://', '', 17, {},
    "http://127.0.0.1:$own/v1.0/devices\r\nHost: x",
);

refused('C18: links', $list, map { { nextLink => $_ } } @links);
like($n->log, qr/\[error\].*$_/, "C18: $_")
    for 'a link leads to another host, or is not of https',
        'a link of the reply is no URL', 'the next link of devices is no link';

# a fragment is not sent

$g->fault({ path => $list, do => { nextLink =>
            "http://127.0.0.1:$own#\@127.0.0.1:$port/v1.0/devices" } });
ok(wait_until(5, sub { $n->log =~ /devices refused with status 4/ }),
   'C18: a fragment') or diag($n->log);
nobody('C18: a fragment');
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
    right   => [$ca, $ip],
    name    => [$ca, 'subjectAltName=DNS:graph.example',
                qr/name matches|does not match/],
    expired => [$ca, $ip, qr/certificate has expired/, days => -1],
    unknown => [$stranger, $ip, qr/unable to get local issuer/],
    old     => [$ca, $ip, qr/unsupported protocol/, version => 'TLSv1'],
);
my $login = 'client 11111111-2222-4333-8444-555555555555; '
            . 'scope https://graph.microsoft.com/.default; token_url ';
my $token = '/0a1b2c3d-1111-4222-8333-444455556666/oauth2/v2.0/token';
my (%sim, %directories);

for (reverse sort keys %peer) {
    my ($issuer, $ext, undef, %o) = @{ $peer{$_} };
    my $cert = $t->cert($issuer, "peer-$_", ext => "$ext\n", key => 'rsa-peer',
                        days => $o{days});

    $sim{$_} = PKI::Sim->new('graph', dir => $t->{dir}, name => "sim-$_",
                             listen => ['https://127.0.0.1:0',
                                        'http://127.0.0.1:0'],
                             tls => [$cert, "$t->{dir}/rsa-peer.key"],
                             tls_version => $o{version});
}

# of some the token endpoint is the right one, so that there is a token

for (sort keys %peer) {
    my $from = /name|old/ ? $_ : 'right';

    $directories{$_} = ['entra', $e->block('entra', url => $sim{$_}->url,
                        login => $login . $sim{$from}->url($token) . ';',
                        text => "resources devices; ca_file $ca;")];
}

$directories{system} = ['entra', $e->block('entra',
    url => $sim{right}->url, text => 'resources devices;')];

# an issuer refers to four at most

my $right = delete $directories{right};
my $system = delete $directories{system};
my $m = $t->nginx(workers => 2, directories => \%directories);
my $s = $t->nginx(directories => { right => $right, system => $system });

for (grep { $peer{$_}[2] } sort keys %peer) {
    my $line = qr/\[error\].*"$_": "devices": .*(?:$peer{$_}[2])/;

    ok(wait_until(5, sub { $m->log =~ $line }), "C20: $_: refused")
        or diag($m->log);
    is(scalar $sim{$_}->log, 0, "C20: $_: and not asked");
}

ok(wait_until(5, sub { $s->log =~ /"system": .*unable to get local/ }),
   'C20: the system does not know this authority') or diag($s->log);
ok(wait_until(5, sub { $sim{right}->log($mark) }), 'C20: the right one');
is(($sim{right}->log('oauth2'))[0]{scheme}, 'https', 'C20: by TLS');
is(scalar(grep { $_->{target} !~ /oauth2/ } $sim{$_}->log), 0, "C20: $_")
    for qw(expired unknown);
ok(!(grep { $_->{rounds} } map { $_->{resources}[0] }
     values %{ $e->directories(nginx => $m) }), 'C20: no round of the others');
unlike($_->log, qr/S3cr/, 'no secret in a log') for $n, $m, $s, $e->{nginx};

$t->done;
