# Random holds, releases and revocations on two hosts, one at a time and many
# at once, while lists are renewed, the one who makes them is killed and Redis
# is started again: what was acknowledged is in OCSP, in the search, and in the
# lists, for one who loads a complete list each time and for one who keeps
# adding deltas to what he has (RFC 5280, 5.2.4).

use strict;
use warnings;

use JSON::PP;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $token = $t->token('alice', 'manage');
my $seed = $ENV{TEST_PKI_SEED} || time;
my $rounds = 10;

srand $seed;
note("TEST_PKI_SEED=$seed");

$t->allow(qr/worker process \d+ exited on signal 9/,
          qr/shared memory zone "ngx_http_pki" was locked by \d+/,
          qr/store "|redis|Redis|pki crl /);

$t->redis;

my @certs = map { $t->cert($ca, "c$_", $_ % 4 ? () : (
    kind => 'Device', guid => sprintf 'd6b58414-60ed-426b-b382-%012d', $_)) }
    1 .. 9;
my @serials = map { serial_of($_) } @certs;

$t->record('demo', @certs[0 .. 5]);     # the others come by import, or never

my %conf = (
    issuer => 'unknown serial; crl manual valid=26s renew=18s delay=50ms'
              . ' delta=20s;',
    server => 'location /crl/ { pki_crl demo; }',
);
my @hosts = map { $t->nginx(%conf) } 1, 2;

ok($_->ready, 'ready') for @hosts;

my %reasons = (
    'Unspecified' => 0, 'Key Compromise' => 1, 'CA Compromise' => 2,
    'Affiliation Changed' => 3, 'Superseded' => 4,
    'Cessation Of Operation' => 5, 'Certificate Hold' => 6,
    'Remove From CRL' => 8,
);
my %want;       # serial => reason, as it was acknowledged

sub any { return $_[rand @_] }

# a list as openssl reads it; nothing, if there is none

sub list {
    my ($host, $uri) = @_;

    my $r = $host->http('GET', $uri);

    return if $r->{status} != 200;

    my $file = spew("$t->{dir}/list", $r->{body});
    my $text = run_ok('openssl', 'crl', '-inform', 'DER', '-noout', '-text',
                      '-in', $file);
    my %list = (entries => {});

    ($list{number}) = $text =~ /X509v3 CRL Number: *\n +(\S+)/;
    ($list{base}) = $text =~ /Delta CRL Indicator:.*\n +(\S+)/;
    no warnings 'portable';
    $_ = defined ? hex : undef for @list{'number', 'base'};

    while ($text =~ /Serial\ Number:\ (\w+)\n\s+Revocation\ Date:.*\n
                     (?:\s+CRL\ entry\ extensions:\n
                        \s+X509v3\ CRL\ Reason\ Code:\s*\n\s+(.*)\n)?/gx)
    {
        $list{entries}{$1} = $reasons{ $2 // 'Unspecified' };
    }

    return \%list;
}

# adds a delta; 0: it does not go with what is there

sub add {
    my ($have, $delta) = @_;

    return 0 if !$delta || $have->{number} < $delta->{base};
    return 1 if $have->{number} >= $delta->{number};

    for my $serial (keys %{ $delta->{entries} }) {
        my $reason = $delta->{entries}{$serial};

        delete $have->{entries}{$serial};
        $have->{entries}{$serial} = $reason if $reason != 8;
    }

    $have->{number} = $delta->{number};
    return 1;
}

sub text { return join ' ', map { "$_=$_[0]{$_}" } sort keys %{ $_[0] } }

# what changes, by an acknowledgement only

sub single {
    my ($host) = @_;

    my $i = int rand @serials;
    my $reason = any(6, 6, 8, 8, 8, 1, 4);
    my $r = $host->api('PATCH', "revoke/$serials[$i]", token => $token,
                       body => { revocationReason => $reason });

    return if $r->{status} != 200;

    $want{ $serials[$i] } = $reason;
    delete $want{ $serials[$i] } if $reason == 8;
}

sub many {
    my ($host) = @_;

    my $reason = any(6, 8, 8);
    my $r = $host->http('POST', '/api/manage/revoke', headers => {
        Authorization => "Bearer $token", 'Content-Type' => 'application/json',
    }, body => encode_json({ revocationReason => $reason, serials =>
        [ grep { rand() < 0.5 } @serials[1 .. $#serials], $serials[0] ] }));

    for my $line (map { decode_json($_) } split /\n/, $r->{body}) {
        my ($serial, $result) = @$line{'serialNumber', 'result'};

        next unless defined $serial;
        $want{$serial} = $reason if $result eq 'revoked';
        delete $want{$serial} if $result eq 'released';
    }
}

sub bring {
    my ($host) = @_;

    my $i = any(6, 7);
    my $r = $host->http('POST', '/api/manage/certificates', headers => {
        Authorization => "Bearer $token",
    }, body => slurp($certs[$i]));

    ok($r->{status} == 200 || $r->{status} == 201, 'imported');
}


# what is to be seen of it

ok(wait_until(10, sub { list($hosts[0], '/crl/')
                        && list($hosts[0], '/crl/delta') }), 'lists');

my $keeper = list($hosts[0], '/crl/');

sub compare {
    my ($what, $limit) = @_;

    my $all = text(\%want);
    my $got = '';

    for my $host (@hosts) {
        for my $i (0 .. $#certs) {
            my $is;

            wait_until(2, sub {
                my $ocsp = $host->ask($ca, $certs[$i]);

                $is = $ocsp->{cert} eq 'revoked' ? $ocsp->{reason} // 0 : '';
                return $is eq ($want{ $serials[$i] } // '');
            }) or is($is, $want{ $serials[$i] } // '', "$what: OCSP");
        }

        ok(wait_until($limit, sub {
            my ($full, $delta) = map { list($host, "/crl/$_") } '', 'delta';

            return 0 if !$full || !$delta;
            $full->{number} >= $delta->{number} || add($full, $delta)
                or return 0;
            $got = text($full->{entries});
            return $got eq $all;
        }), "$what: a complete list and its delta")
            or diag("got  $got\nwant $all");
    }

    ok(wait_until($limit, sub {
        my $delta = list($hosts[0], '/crl/delta');

        if ($delta && !add($keeper, $delta)) {
            $keeper = list($hosts[0], '/crl/') || $keeper;
            add($keeper, $delta);
        }

        return text($keeper->{entries}) eq $all;
    }), "$what: deltas on deltas")
        or diag('got  ' . text($keeper->{entries}) . "\nwant $all");

    my $r = $hosts[1]->api('GET', 'search?pageSize=100', token => $token);
    my %rows = map { $_->{serialNumber} => $_->{revocationReason} // '' }
               @{ $r->{json}{items} };
    my $wrong = grep { ($rows{$_} ne '') != exists $want{$_} } keys %rows;

    is($wrong, 0, "$what: the search");

    $r = $hosts[0]->api('GET', 'search?certValidity=Revoked&fields='
                               . 'serialNumber', token => $token);
    is(join(' ', sort map { $_->{serialNumber} } @{ $r->{json}{items} }),
       join(' ', sort grep { exists $rows{$_} } keys %want),
       "$what: its filter");
}

my $last = 0;

for my $round (1 .. $rounds) {
    for (1 .. 1 + rand 4) {
        any(\&single, \&single, \&many, \&bring)->(any(@hosts));
    }

    if ($round == 3) {
        $t->redis_stop;
        $t->redis;
        ok(wait_until(10, sub { $_->api('GET', 'search', token => $token)
                                ->{status} == 200 }), 'goes on') for @hosts;
    }

    if ($round == 6) {
        my ($pid) = $t->redis_cli('get', 'pki:{demo}:crl-lease') =~ /:(\d+) /;
        kill 'KILL', $pid if $pid;
        ok(wait_until(25, sub {
            my ($new) = $t->redis_cli('get', 'pki:{demo}:crl-lease')
                        =~ /:(\d+) /;
            return $new && $new != $pid;
        }), 'another makes the lists');
        ok(wait_until(10, sub { $_->api('GET', 'search', token => $token)
                                ->{status} == 200 }), 'goes on') for @hosts;
    }

    compare("round $round", 10);

    my ($number) = map { $_->{number} } list($hosts[0], '/crl/delta');

    cmp_ok($number, '>=', $last, 'numbers rise');
    $last = $number;
}

$t->done;
