# What a large book of certificates costs: see scripts/bench.
#
#     search   memory for each certificate; exact, rare and common questions;
#              what OCSP clients notice of searches
#     crl      the CPU time of a list of 100,000 entries; a tenth of what is
#              revoked has ended by then
#     enroll   certificates issued in a second, next to the signatures that
#              the key can do
#
# Prints lines "name<TAB>value<TAB>unit<TAB>limit", limit being empty, or the
# bar with its sign in front.

use strict;
use warnings;

use Getopt::Long;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);

use PKI::Bench;
use PKI::CSR;
use PKI::HTTP;
use PKI::OCSP;
use PKI::Test;

my ($count, $revoked, $questions, $probe) = (1_000_000, 110_000, 100, 10);

GetOptions('count=i' => \$count, 'revoked=i' => \$revoked,
           'questions=i' => \$questions, 'probe=i' => \$probe)
    or exit 2;

$| = 1;

my ($t, $n, $ca, $token);


sub start {
    $t = PKI::Test->new(limit => 1800);
    $ca = $t->ca('ca');
    $token = $t->token('bench', 'admin');

    # what is filled in is not worth a write to the disk for each
    $t->redis(args => ['--appendonly', 'no', '--save', '']);
}

sub serve {
    my ($crl) = @_;

    $n = $t->nginx(workers => 2, zone => '32m', issuers => { demo =>
            "certificate $ca; key $t->{dir}/ca.key;"
            . ($crl ? 'crl manual valid=1h;' : '') },
        http => 'pki_profile any { issuer demo; }',
        server => 'location /enroll/ { pki_api; pki_enroll any;'
                  . " pki_api_tokens $t->{dir}/tokens; }");
    $n->ready or die "nginx does not come up\n";
}

# certificates number $first to $first + $count - 1, each $every-th revoked

sub fill {
    my ($first, $count, $every) = @_;

    # a command may take a minute
    while ($count > 0) {
        my $some = $count < 100_000 ? $count : 100_000;

        run_ok("$PKI::Test::top/.build/bench/fill",
               $t->{redis}{redis}{socket}, 'demo', $ca, "$t->{dir}/ca.key",
               $first, $some, $every || ());
        $first += $some;
        $count -= $some;
    }
}

sub used { return ($t->redis_cli('INFO', 'memory') =~ /used_memory:(\d+)/)[0] }

# a GET over a kept connection: (milliseconds, the reply decoded)

my $socket;

sub ask {
    my ($query) = @_;

    $socket ||= http_connect($n->{port});

    my $start = time;
    my $r = PKI::HTTP::http($n->{port}, 'GET', "/api/manage/search?$query",
                            socket => $socket,
                            headers => { Authorization => "Bearer $token" });
    my $took = (time - $start) * 1000;

    die "search?$query: $r->{status} $r->{body}\n" unless $r->{status} == 200;

    return ($took, JSON::PP::decode_json($r->{body}));
}

# how long the questions took; each must find as many as it should

sub ask_all {
    my ($found, @queries) = @_;

    return map {
        my ($took, $json) = ask($_);
        my $is = @{ $json->{items} };

        die "search?$_: $is found, not $found\n" unless $is == $found;
        $took
    } @queries;
}


sub bench_search {
    start();

    my $empty = used();
    my $start = time;

    fill(1, $count);
    row('certificates', $count, '');
    row('recorded in a second', $count / (time - $start), '1/s');
    row('Redis for each certificate', (used() - $empty) / $count, 'octets');
    serve();

    # known ones: each sixth from the first on is a server, the rest devices
    # and users
    my @numbers = map { 6 * int(rand($count / 6)) + 5 } 1 .. $questions;
    my @names = map { sprintf 'server-%07d', $_ } @numbers;
    my @rare = ask_all(1, map { "searchText=$_" } @names);
    my @none = ask_all(0, map { sprintf 'searchText=nothing-%07d', $_ }
                          @numbers);
    my @known = map { (ask("searchText=$_"))[1]{items}[0] }
                @names[0 .. ($questions < 20 ? $questions : 20) - 1];
    my @devices = map { (ask(sprintf 'searchText=laptop-%07d',
                             6 * int(rand($count / 6)) + 6))[1]{items}[0] }
                  1 .. 20;

    row('rare text, median', median(@rare), 'ms');
    row('rare text, p95', p95(@rare), 'ms', '<=500');
    row('text that is nowhere, p95', p95(@none), 'ms', '<=500');

    row('first page of a common text, p95',
        p95(ask_all(50, map { "searchText=$_" } ('EXAMPLE.com') x $questions)),
        'ms', '<=50');
    row('first page of all, p95', p95(ask_all(50, ('') x $questions)), 'ms',
        '<=50');

    for (['serial number', 'searchText', 'serialNumber', \@known],
         ['thumbprint', 'thumbprint', 'thumbprint', \@known],
         ['object', 'object', 'object', \@devices])
    {
        my ($name, $param, $field, $items) = @$_;

        row("exact $name, p95",
            p95(ask_all(1, map { "$param=$_->{$field}" } (@$items) x 10)),
            'ms', '<=5');
    }

    bench_ocsp([map { $_->{serialNumber} } @known, @devices], \@names);

    $t->done;
}

# OCSP answers that Redis is asked for, alone and while somebody searches

sub bench_ocsp {
    my ($serials, $names) = @_;

    # more than a probe asks for, so that the cache is of no use
    my (undef, $json);
    my %serials = map { $_ => 1 } @$serials;
    my $next = 'pageSize=500';

    while (keys %serials < 6000 && $next) {
        (undef, $json) = ask($next);
        $serials{ $_->{serialNumber} } = 1 for @{ $json->{items} };
        $next = $json->{continuationToken}
                && "pageSize=500&continuationToken=$json->{continuationToken}";
    }

    my (@alone, @during);

    for my $round (1 .. 3) {
        for my $busy (0, 1) {
            my $file = "$t->{dir}/took.$round.$busy";

            $t->redis_cli('PUBLISH', 'pki:news', 'all');

            my $searcher = $busy && searcher($names);
            my $pid = prober($n, $ca, [keys %serials], $file);

            sleep $probe / 3;
            push @{ $busy ? \@during : \@alone }, probed($file, $pid);

            if ($searcher) {
                kill 'TERM', $searcher;
                waitpid $searcher, 0;
            }
        }
    }

    row('OCSP p99', p99(@alone) * 1000, 'ms');
    row('OCSP p99, during searches', p99(@during) * 1000, 'ms');
    row('OCSP p99, ratio', p99(@during) / p99(@alone), '', '<=2');
}

# somebody who searches for rare texts without a rest

sub searcher {
    my ($names) = @_;

    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;

    local $SIG{TERM} = sub { POSIX::_exit(0) };
    undef $socket;

    for (;;) {
        ask("searchText=$_") for @$names;
    }
}


sub bench_crl {
    start();
    fill(1, $revoked, 1);
    serve(1);

    my ($list, $is);

    PKI::Test::wait_until(60, sub {
        ($list) = map { $_->{crl} } @{ $n->status->{issuers} };
        $list && ($list->{entries} // 0) >= 0.9 * $revoked;
    }) or die "no list of $revoked entries, but of what has ended\n";

    row('entries of a list', $list->{entries}, '');
    row('CPU of the list', $list->{cpuMilliseconds}, 'ms', '<=2000');

    $t->done;
}


# 16 clients; "openssl speed" tells what the key can do on one core

sub bench_enroll {
    start();
    serve();

    my $csr = PKI::CSR->new($t, subject => [[CN => 'bench']])->der;
    my $until = time + $probe;
    my @pids;

    for my $i (1 .. 16) {
        my $pid = fork // die "fork: $!\n";

        if ($pid) {
            push @pids, $pid;
            next;
        }

        my ($socket, $done) = (http_connect($n->{port}), 0);

        while (time < $until) {
            my $r = PKI::HTTP::http($n->{port}, 'POST', '/enroll/csr',
                socket => $socket, body => $csr,
                headers => { Authorization => "Bearer $token" });

            POSIX::_exit(1) if $r->{status} != 200;
            $done++;
        }

        PKI::Test::spew("$t->{dir}/done.$i", $done);
        POSIX::_exit(0);
    }

    for (@pids) {
        waitpid $_, 0;
        die "a client failed\n" if $?;
    }

    my $done = 0;

    $done += PKI::Test::slurp("$t->{dir}/done.$_") for 1 .. 16;
    row('certificates enrolled in a second', $done / $probe, '1/s');

    $t->done;
}


my %benches = (
    search => \&bench_search,
    crl    => \&bench_crl,
    enroll => \&bench_enroll,
);

for my $name (@ARGV) {
    die "there is no bench \"$name\"\n" unless $benches{$name};
    $benches{$name}->();
}
