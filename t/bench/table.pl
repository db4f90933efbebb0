#!/usr/bin/perl

# usage: table.pl RESULTS
#
# Reads what scripts/bench measured, a line each:
#
#   speed ALGORITHM MICROSECONDS         of one signature
#   row ROUND ROW REQUESTS MICROSECONDS P50 P99 CPU REDIS
#   bad ROUND ROW WHY
#   others BUSY STOLEN ELAPSED           what else the machine did, in ticks
#
# and prints the table and the bars.  Exit code 0: the bars hold, 3: one does
# not, 1: a row went wrong.

use strict;
use warnings;

my @rows = (
    # row        title                       compared to  signature
    ['get_ref',    'GET  return 200'],
    ['get_hit',    'GET  cached',              'get_ref'],
    ['get_turn',   'GET  10,000 in turn',      'get_ref'],
    ['get_cold',   'GET  cold cache',          'get_ref',   'ecdsap256'],
    ['post_ref',   'POST return 200'],
    ['post_hit',   'POST cached',              'post_ref'],
    ['nonce_p256', 'POST nonce, P-256',        'post_ref',  'ecdsap256'],
    ['nonce_rsa',  'POST nonce, RSA-2048',     'post_ref',  'rsa2048'],
    [],
    ['ossl_post',  'POST openssl ocsp'],
    ['ours_post',  'POST cached',              'ossl_post'],
    ['ossl_nonce', 'POST openssl ocsp, nonce'],
    ['ours_nonce', 'POST nonce, P-256',        'ossl_nonce'],
);

my (%runs, %speed, %bad, @others);


sub median {
    my @n = sort { $a <=> $b } @_ or return 0;

    return $n[$#n / 2] if @n % 2;
    return ($n[@n / 2 - 1] + $n[@n / 2]) / 2;
}

# of what a function says of each round in which all went well

sub over_rounds {
    my ($f, @names) = @_;
    my ($first) = @names;

    return median(map {
        my $round = $_;
        $f->(map { $runs{$_}{$round} } @names);
    } grep {
        my $round = $_;
        !grep { !$runs{$_}{$round} } @names;
    } keys %{ $runs{$first} });
}

sub rps { return $_[0]{rps} }
sub cpu { return $_[0]{cpu} }

sub ratio {
    my ($what, @names) = @_;
    return over_rounds(sub { $_[0]{$what} / $_[1]{$what} }, @names);
}

# what is left without the signature, in units of what it is compared to

sub rest {
    my ($row, $base, $algorithm) = @_;

    return over_rounds(sub { ($_[0]{cpu} - $speed{$algorithm}) / $_[1]{cpu} },
                       $row, $base);
}


while (<>) {
    my ($kind, @f) = split;

    if ($kind eq 'speed') {
        push @{ $speed{$f[0]} }, $f[1];

    } elsif ($kind eq 'bad') {
        my ($round, $row) = splice @f, 0, 2;
        push @{ $bad{$row} }, "round $round: @f";

    } elsif ($kind eq 'others') {
        @others = map { $_ / $f[2] } @f[0, 1];

    } else {
        my ($round, $row, $n, $usec, $p50, $p99, $cpu, $redis) = @f;

        $runs{$row}{$round} = {
            rps   => $n / $usec * 1e6,
            p50   => $p50 / 1000,
            p99   => $p99 / 1000,
            cpu   => $cpu / $n,
            redis => $redis / $n,
        };
    }
}

for (qw(ecdsap256 rsa2048)) {
    die "\"openssl speed $_\" said nothing\n" unless $speed{$_};
    $speed{$_} = median(@{ $speed{$_} });
}


sub columns {
    my $line = sprintf '%-25s %9s' . ' %8s' x 7, map { $_ // '' } @_[0 .. 8];

    $line =~ s/ +$//;
    print "$line\n";
}

columns('', 'req/s', 'p50 ms', 'p99 ms', 'CPU us', 'req/s', 'CPU', 'sign us',
        'rest');
columns(('') x 5, 'ratio', 'ratio', '', 'ratio');

for (@rows) {
    my ($row, $title, $base, $algorithm) = @$_;

    if (!$row) {
        print "one connection per request:\n";
        next;
    }

    if (!%{ $runs{$row} || {} }) {
        printf "%-25s %s\n", $title, 'no result';

    } else {
        my @more;

        @more = map { sprintf '%.2f', ratio($_, $row, $base) } qw(rps cpu)
            if $base && %{ $runs{$base} || {} };

        push @more, sprintf('%.1f', $speed{$algorithm}),
                    sprintf('%.2f', rest($row, $base, $algorithm))
            if @more && $algorithm;

        columns($title, sprintf('%.0f', over_rounds(\&rps, $row)),
                sprintf('%.3f', over_rounds(sub { $_[0]{p50} }, $row)),
                sprintf('%.3f', over_rounds(sub { $_[0]{p99} }, $row)),
                sprintf('%.2f', over_rounds(\&cpu, $row)), @more);
    }

    print "    $_\n" for @{ $bad{$row} || [] };
}

printf "\nIn the row of the cold cache Redis spends another %.2f us per "
       . "request.\n", over_rounds(sub { $_[0]{redis} }, 'get_cold')
    if %{ $runs{get_cold} || {} };

printf "Meanwhile other work used %.2f cores, and the hypervisor took %.2f.\n",
       @others if @others;

exit 1 if %bad;


my $holds = 1;

sub bar {
    my ($title, $value, $limit, $up) = @_;
    my $ok = $up ? $value >= $limit : $value <= $limit;

    $holds &&= $ok;
    printf "%-60s %6.2f  (%s %.2f)  %s\n", $title, $value,
           $up ? 'at least' : 'at most', $limit, $ok ? 'holds' : 'FAILS';
}

print "\n";

for my $method (qw(get post)) {
    my @pair = ("${method}_hit", "${method}_ref");

    bar('bar 1: CPU of a cached ' . uc($method) . ' to return 200',
        ratio('cpu', @pair), 1.25);
    bar('bar 1: req/s of a cached ' . uc($method) . ' to return 200',
        ratio('rps', @pair), 0.85, 1);
}

bar('bar 2: P-256 nonce without its signature to return 200',
    rest('nonce_p256', 'post_ref', 'ecdsap256'), 2);

exit($holds ? 0 : 3);
