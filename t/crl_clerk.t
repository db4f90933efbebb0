# Lists are made in the background by one host, and served by all: what was
# revoked by hand and by a directory, deltas, a holder that is killed, one
# that leaves in order, a Redis that is away.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $life = 15;          # seconds that a lease lives without its holder
my $try = 3;            # between two looks at it
my $slow = 3;           # a machine with much to do

$t->allow(qr/worker process \d+ exited on signal 9/,
          qr/shared memory zone "ngx_http_pki" was locked by \d+/);

my $url = 'http://127.0.0.1/delta.crl';
my %conf = (
    issuer => 'unknown serial; crl all valid=1h delay=100ms;',
    server => 'location /crl/ { pki_crl demo; }',
);
my $d = PKI::Directory->new($t, entra => {}, nginx => { %conf });
my $one = $d->{nginx};
my $two = $t->nginx(workers => 2, directories => $d->{directories}, %conf);
my $file = "$t->{dir}/list";

ok($_->ready, 'ready') for $one, $two;

sub holder {
    my ($issuer) = @_;
    my $lease = $t->redis_cli('get', 'pki:{' . ($issuer // 'demo')
                                     . '}:crl-lease');

    return $lease =~ /:(\d+) / ? $1 : 0;
}

# a list as openssl reads it: number, base, entries by serial; undef: none

sub list {
    my ($n, $uri) = @_;

    my $r = $n->http('GET', $uri || '/crl/');

    return undef if $r->{status} != 200;

    spew($file, $r->{body});

    my ($status, $text) = run(qw(openssl crl -inform DER -noout -text -in),
                              $file, '-CAfile', $d->{ca});
    my %entries;

    $entries{$1} = $2 // 'none'
        while $text =~ /Serial\ Number:\ (\w+)\n\s+Revocation\ Date:.*\n
                        (?:\s+CRL\ entry\ extensions:\n
                           \s+X509v3\ CRL\ Reason\ Code:\s*\n\s+(.*)\n)?/gx;

    return {
        ok      => $status == 0 && $text =~ /^verify OK/m,
        number  => $text =~ /X509v3 CRL Number: *\n +(\S+)/ ? "$1" : 0,
        base    => $text =~ /Delta CRL Indicator:.*\n +(\S+)/ ? "$1" : 0,
        fresh   => $text =~ /Freshest CRL: *\n(?:.*\n)*? +URI:(\S+)/ ? "$1" : '',
        entries => \%entries,
    };
}

sub reason { my ($n, $cert) = @_; return (list($n) || {})->{entries}
                                         {serial_of($cert)} // '' }

# it is so on both hosts, soon

sub says {
    my ($cert, $want, $what, $limit) = @_;

    my $begun = time;

    for my $n ($one, $two) {
        next unless $n->{pid};
        ok(wait_until($limit || 10, sub { reason($n, $cert) eq $want }),
           sprintf '%s: "%s" after %.1f s', $what, $want, time - $begun);
    }
}

# by the number of a reason; 8 releases

sub revoke {
    my ($n, $cert, $reason) = @_;

    return $n->revoke($d->{token}, $cert, $reason)->{status};
}


# empty, and the same for both

my $graph = $d->{sim}{graph};
my %device = map { $_ => $graph->add('device') } qw(laptop phone);
my %cert = map { $_ => $d->cert($_, Device => $device{$_}{deviceId}) }
           keys %device;

$cert{server} = $t->cert($d->{ca}, 'server');
$cert{old} = $t->cert($d->{ca}, 'old', days => 1);
$t->record('demo', values %cert);
$d->becomes($cert{laptop}, 'good', 'a device');

ok(wait_until(10, sub { list($one) && list($two) }), 'lists are there');

my $first = list($one);

ok($first->{ok}, 'signed by the CA');
is_deeply($first->{entries}, {}, 'nothing is revoked');
is(list($two)->{number}, $first->{number}, 'the same on both hosts');
is($first->{fresh}, '', 'there is no delta');
is($two->http('GET', '/crl/delta')->{status}, 503, 'none at all');

my ($hold) = grep { $_ == holder() } $one->workers, $two->workers;

ok($hold, 'a worker of one of them makes them');


# by hand, at either of them

is(revoke($one, $cert{server}, 1), 200, 'revoked');
says($cert{server}, 'Key Compromise', 'by hand, at one');
is(revoke($two, $cert{phone}, 6), 200, 'on hold');
says($cert{phone}, 'Certificate Hold', 'by hand, at two');
is(revoke($one, $cert{phone}, 8), 200, 'released');
says($cert{phone}, '', 'no longer');
cmp_ok(list($one)->{number}, '>', $first->{number}, 'numbers rise');


# by the directory

sub enable {
    my ($name, $on) = @_;
    $graph->change('device', $device{$name}{id}, accountEnabled =>
                   $on ? PKI::Sim::true : PKI::Sim::false);
}

enable('laptop', 0);
$d->becomes($cert{laptop}, 'hold', 'disabled');
says($cert{laptop}, 'Certificate Hold', 'in the directory');
enable('laptop', 1);
$d->becomes($cert{laptop}, 'good', 'enabled');
says($cert{laptop}, '', 'no longer');


# exactly those that OCSP refuses are refused

enable('phone', 0);
$d->becomes($cert{phone}, 'hold', 'disabled');
says($cert{phone}, 'Certificate Hold', 'in the directory');
run_ok(qw(openssl crl -inform DER -in), $file, '-out', "$file.pem");

for my $name (sort keys %cert) {
    my ($status) = run(qw(openssl verify -crl_check_all -CAfile), $d->{ca},
                       '-CRLfile', "$file.pem", $cert{$name});

    is($status == 0 ? 'good' : 'refused',
       $d->status($cert{$name}) eq 'good' ? 'good' : 'refused',
       "$name: as OCSP says");
}


# counters

my ($issuer) = @{ JSON::PP::decode_json($one->http('GET', '/status')
                                            ->{body})->{issuers} };

is($issuer->{crl}{content}, 'all', 'the status tells of lists');

sub metric {
    my ($n, $name) = @_;

    return $n->http('GET', '/metrics')->{body}
           =~ /^pki_crl_$name\{issuer="demo"\} (\d+)/m ? "$1" : -1;
}

my ($maker) = grep { metric($_, 'holder') == 1 } $one, $two;

is(metric($one, 'holder') + metric($two, 'holder'), 1, 'one makes them');
ok(wait_until(5, sub { metric($maker, 'number') == list($one)->{number} }),
   'the metrics tell which is the newest');
is(metric($maker, 'entries'), keys %{ list($one)->{entries} }, 'how long');
is(metric($maker, 'failing'), 0, 'and that all is well');


# the holder is killed: another takes over when its lease has run out

my $killed = time;
my $before = list($one)->{number};

kill 'KILL', $hold;
ok(wait_until(10, sub { !kill 0, $hold }), 'killed');
is(revoke($one, $cert{laptop}, 4), 200, 'revoked meanwhile');
says($cert{laptop}, 'Superseded', 'taken over', $life + $try + $slow);
cmp_ok(time - $killed, '>', 2, 'not before its lease has run out');
cmp_ok(list($one)->{number}, '>', $before, 'numbers rise');
isnt(holder(), $hold, 'by another worker');


# the host that has it ends in order: it is given back

my ($ending, $staying) = grep(holder() == $_, $one->workers)
                         ? ($one, $two) : ($two, $one);

$ending->stop;
is(revoke($staying, $cert{old}, 4), 200, 'revoked');
says($cert{old}, 'Superseded', 'by whoever is left', $try + $slow);
ok((grep { $_ == holder() } $staying->workers), 'which has the lease now');

$before = list($staying)->{number};
$staying->reload;
ok(wait_until($try + $slow, sub {
    my $h = holder(); grep { $_ == $h } $staying->workers
}), 'a reload: the new worker has it');
sleep 0.5;
is(list($staying)->{number}, $before, 'without a reason, no new list');


# Redis is away and comes back with all that it had

$t->redis_stop;
sleep 0.5;
$t->redis;
ok($staying->ready, 'ready');
ok(wait_until(10, sub { revoke($staying, $cert{phone}, 4) == 200 }),
   'revoked');
says($cert{phone}, 'Superseded', 'goes on', 10);
is(scalar(() = $staying->log =~ /\[error\].*pki crl "demo": /g) <= 3, 1,
   'few lines for one cause');
$staying->stop;


# deltas, of what is revoked by hand

{
    my $ca = $t->ca('second');
    my $n = $t->nginx(issuers => { second => "certificate $ca;"
        . "key $t->{dir}/second.key; unknown serial; delta_crl_url $url;"
        . 'crl manual valid=1h delta=10m delay=0;' },
        server => 'location /crl/ { pki_crl second; }');
    my $cert = $t->cert($ca, 'deltas');

    ok($n->ready, 'ready');
    local $d->{ca} = $ca;
    ok(wait_until(10, sub { list($n, '/crl/delta') }), 'a delta');

    my $full = list($n);

    is(list($n, '/crl/delta')->{base}, $full->{number}, 'on the list');
    is(list($n, '/crl/delta')->{number}, $full->{number},
       'and of its number, as they were made together');
    is($full->{fresh}, $url, 'which says where it is');
    is(revoke($n, $cert, 1), 200, 'revoked');
    ok(wait_until(10, sub {
        list($n, '/crl/delta')->{entries}{serial_of($cert)}
    }), 'is in the delta');
    is(list($n)->{number}, $full->{number}, 'the list is still the same');

    my $delta = list($n, '/crl/delta');

    ok($delta->{ok}, 'signed');
    is($delta->{base}, $full->{number}, 'on the same base');
    cmp_ok($delta->{number}, '>', $full->{number}, 'of a higher number');
}

$t->done;
