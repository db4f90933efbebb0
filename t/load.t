# 64 clients that enrol, revoke, hold, release and search at once; then the
# same while Redis and nginx are killed.  Nothing that was acknowledged is
# lost, no serial number is given twice, each revocation is in OCSP and in
# the next list, and the audit is complete.
#
# TEST_PKI_LOAD is how many seconds each of the two takes.

use strict;
use warnings;

use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);

use lib 't/lib';
use PKI::Test;
use PKI::CSR;

my $clients = 64;
my $seconds = $ENV{TEST_PKI_LOAD} || 6;

my $t = PKI::Test->new;
my $dir = $t->{dir};
my $ca = $t->ca('ca');
my $token = $t->token('load', 'admin');
my %auth = (Authorization => "Bearer $token");

# what a killed Redis and a killed worker leave in the log
$t->allow(qr/pki store|exited on signal 9|Connection refused/);

$t->redis;

my $n = $t->nginx(workers => 4, zone => '8m',
    issuers => { demo => "certificate $ca; key $dir/ca.key;"
                         . 'crl manual valid=1h delay=500ms;' },
    http => 'pki_profile any { issuer demo; }',
    locations => <<"END");
        location /ocsp { pki_ocsp; }
        location /api/ {
            pki_api; pki_api_tokens $dir/tokens; pki_enroll any;
        }
        location /crl/ { pki_crl demo; }
        location = /status { pki_status; }
        location = /probe { pki_status probe; }
END

ok($n->ready, 'ready');

my @csr = map { PKI::CSR->new($t, subject => [[CN => "client-$_"]])->der }
          0 .. 7;


# one client; what it was told goes to a file, a line each

sub client {
    my ($i, $until, $file) = @_;

    my ($socket, @mine);
    my $json = JSON::PP->new->canonical;

    open my $out, '>', $file or die "$file: $!\n";
    $out->autoflush(1);
    srand 1000 + $i;

    my $call = sub {
        my ($method, $uri, $body) = @_;

        my $r = eval {
            $socket ||= http_connect($n->{port});
            PKI::HTTP::http($n->{port}, $method, $uri, socket => $socket,
                 headers => \%auth, defined $body ? (body => $body) : ());
        } || { status => 0 };

        undef $socket if !$r->{status}
                         || ($r->{headers}{connection} // '') eq 'close';
        sleep 0.02 if !$r->{status} || $r->{status} == 429
                      || $r->{status} == 503;
        return $r;
    };

    while (time < $until) {
        my $roll = rand;
        my ($op, $cert, $r);

        if ($roll < 0.4 || !@mine) {
            $op = 'issue';
            $r = $call->('POST', '/api/csr', $csr[$i % @csr]);
            $cert = { serial => serial($r->{body}), hold => 0 }
                if $r->{status} == 200;
            push @mine, $cert if $cert;

        } elsif ($roll < 0.7) {
            $cert = $mine[rand @mine];
            my $reason = rand() < 0.5 ? 6 : 1;

            $op = "revoke $reason";
            $r = $call->('PATCH', "/api/manage/revoke/$cert->{serial}",
                         qq({"revocationReason":$reason}));

        } elsif ($roll < 0.8) {
            $cert = $mine[rand @mine];
            $op = 'release';
            $r = $call->('DELETE', "/api/manage/revoke/$cert->{serial}");

        } else {
            $cert = $mine[rand @mine];
            $op = 'search';
            $r = $call->('GET', "/api/manage/search?pageSize=5&searchText="
                         . ($roll < 0.9 ? $cert->{serial}
                                        : 'client-' . $i % @csr));

            my $found = $r->{status} == 200
                        ? eval { $json->decode($r->{body})->{items} } : undef;

            $op = 'lost' if $r->{status} == 200
                && !grep { $roll >= 0.9
                           || $_->{serialNumber} eq $cert->{serial} } @$found;
        }

        print $out $json->encode({ op => $op, status => $r->{status},
                                   serial => $cert && $cert->{serial},
                                   at => time }), "\n";
    }
}

# of a certificate in DER

sub serial {
    my ($der) = @_;

    my ($cert) = PKI::DER::der_parse($der);
    my @tbs = @{ $cert->{kids}[0]{kids} };

    return uc unpack 'H*', $tbs[1]{content};
}

# all clients for so long, meanwhile does what $during says; returns what
# they were told

sub load {
    my ($name, $during) = @_;

    my %pid;
    my $until = time + $seconds;

    for my $i (0 .. $clients - 1) {
        my $pid = fork // die "fork: $!\n";

        if (!$pid) {
            eval { client($i, $until, "$dir/$name.$i") };
            POSIX::_exit($@ ? 1 : 0);
        }

        $pid{$pid} = 1;
    }

    $during->() if $during;

    my $failed = 0;

    for (keys %pid) {
        waitpid $_, 0;
        $failed++ if $?;
    }

    is($failed, 0, "$name: all clients came to their end");

    return map { my $i = $_;
                 map { JSON::PP::decode_json($_) }
                 split /\n/, slurp("$dir/$name.$i") } 0 .. $clients - 1;
}

# the audit stream: [action, serial, reason] in order

sub audit {
    my @lines = split /\n/, $t->redis_cli('XRANGE', 'pki:{demo}:audit', '-',
                                          '+');
    my (@entries, %e);

    while (@lines) {
        my $field = shift @lines;

        if ($field =~ /^\d+-\d+$/) {
            push @entries, { %e } if %e;
            %e = ();
        } else {
            $e{$field} = shift @lines;
        }
    }

    return @entries, { %e };
}

# what must hold of everything that was acknowledged

sub check {
    my ($name, @told) = @_;

    my @issued = map { $_->{serial} }
                 grep { $_->{op} eq 'issue' && $_->{status} == 200 } @told;
    my %count;

    $count{$_}++ for @issued;

    cmp_ok(scalar @issued, '>', $clients, "$name: " . @issued . ' issued');
    is((grep { $_ > 1 } values %count), 0, 'no serial number twice');
    is((grep { $_->{op} eq 'lost' } @told), 0,
       'what was issued is found at once');

    # the last word on each certificate, by the audit stream; every
    # acknowledged change is in it

    my (%audit, %now, %actions);

    for my $e (audit()) {
        $actions{ $e->{serial} }{ $e->{action} }++;
        $now{ $e->{serial} } = $e->{action} eq 'release' ? ''
                               : $e->{reason}
            if $e->{action} ne 'issue';
    }

    is((grep { ($actions{$_}{issue} // 0) != 1 } @issued), 0,
       'each is in the audit once');

    my @changes = grep { $_->{op} =~ /^(revoke|release)/
                         && $_->{status} == 200 } @told;

    cmp_ok(scalar @changes, '>', $clients, @changes . ' changes');
    is((grep { my $a = $actions{ $_->{serial} };
               $_->{op} eq 'release' ? !$a->{release}
               : !($a->{revoke} || $a->{upgrade}) } @changes), 0,
       'each is in the audit');

    # OCSP and the next list say what the audit says

    my %want = map { $_ => $now{$_} // '' } @issued;
    my @some = sort keys %want;
    my $wrong = 0;

    for (@some) {
        my ($serial, $r) = $_;

        # a worker whose link is not there yet says tryLater
        wait_until(10, sub {
            ($r = $n->ask($ca, $serial))->{status} ne 'tryLater'
        });

        my $is = $r->{cert} // $r->{status};

        $wrong++ unless $want{$_} eq '' ? $is eq 'good'
                        : $is eq ($want{$_} == 6 ? 'hold' : 'revoked')
                          || $is eq 'revoked' && $r->{reason} == $want{$_};
    }

    is($wrong, 0, 'OCSP says so of ' . @some);

    my %revoked = map { $_ => 1 } grep { $want{$_} ne '' } @some;
    my ($missing, $more);

    wait_until(20, sub {
        my %listed = map { $_ => 1 } listed();

        $missing = grep { !$listed{$_} } keys %revoked;
        $more = grep { exists $want{$_} && !$revoked{$_} } keys %listed;

        return !$missing && !$more;
    });

    is($missing, 0, 'and so does the next list: ' . keys(%revoked)
       . ' revoked');
    is($more, 0, 'and no other');

    # the records, by key and by search

    my $unrecorded = 0;

    for (@some[0 .. ($#some < 199 ? $#some : 199)]) {
        my $r = $n->http('GET', "/api/manage/certificates/$_",
                         headers => \%auth);
        my $json = eval { JSON::PP::decode_json($r->{body}) } || {};

        $unrecorded++ unless $json->{recorded}
            && ($json->{revocationReason} // '')
               eq ({ '' => '', 1 => 'KeyCompromise',
                     6 => 'CertificateHold' }->{ $want{$_} });
    }

    is($unrecorded, 0, 'each is on record');

    my $r = $n->http('GET', '/api/manage/search?format=ndjson',
                     headers => \%auth);
    my %listed = map { JSON::PP::decode_json($_)->{serialNumber} => 1 }
                 split /\n/, $r->{body};

    is((grep { !$listed{$_} } @issued), 0, 'and in the list of all');
}

sub listed {
    my $r = $n->http('GET', '/crl/');

    return unless $r->{status} == 200;

    spew("$dir/list.der", $r->{body});

    my $text = run_ok('openssl', 'crl', '-inform', 'DER', '-in',
                      "$dir/list.der", '-CAfile', $ca, '-noout', '-text');

    return $text =~ /Serial Number: ([0-9A-F]+)/g;
}


my @calm = load('calm');
my %statuses;

$statuses{"$_->{op} $_->{status}"}++ for @calm;
diag(join ', ', map { "$_: $statuses{$_}" } sort keys %statuses)
    if $ENV{TEST_PKI_LOAD};

is((grep { $_->{status} !~ /^(200|404|409|429)$/ } @calm), 0,
   'calm: nothing failed')
    or diag(join ', ', map { "$_: $statuses{$_}" } sort keys %statuses);
check('calm', @calm);

my @killed = load('killed', sub {
    my $part = $seconds / 4;

    sleep $part;
    $t->redis_stop('redis', 'KILL');
    $t->redis;
    sleep $part;
    kill 'KILL', ($n->workers)[0, 1];
    sleep $part / 2;
    $t->redis_stop('redis', 'KILL');
    $t->redis;
    kill 'KILL', ($n->workers)[1, 2];
});

ok(wait_until(20, sub { $n->ready }), 'ready again');
check('killed', @killed);

$t->done;
