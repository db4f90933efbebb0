# Lists that must not be wrong in silence: a stream that cannot go on, for a
# client without chunks, behind gzip, or slow; pages while others record.

use strict;
use warnings;

use IO::Select;
use IO::Uncompress::Gunzip qw(gunzip);
use JSON::PP;
use Socket qw(SOL_SOCKET SO_RCVBUF);

use lib 't/lib';
use PKI::Test;

my $many = 9_000;
my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $token = $t->token('alice', 'manage');
my %auth = (headers => { Authorization => "Bearer $token" });

sub fill {
    my ($first, $count) = @_;

    run_ok("$PKI::Test::top/.build/bench/fill", $t->{redis}{redis}{socket},
           'demo', $ca, "$t->{dir}/ca.key", $first, $count, 50);
}

run_ok("$PKI::Test::top/scripts/build", 'bench');
$t->redis;
$t->redis_cli('CONFIG', 'SET', 'appendfsync', 'no');
fill(1, $many);

my ($packed, $proxy) = (free_port(), free_port());
my $api = "location /api/ { pki_api; pki_api_tokens $t->{dir}/tokens; }";
my $n = $t->nginx(http => <<"END");
    server {
        listen 127.0.0.1:$packed sndbuf=64k;
        gzip on; gzip_types text/csv; gzip_min_length 0; gzip_http_version 1.0;
        $api
    }
    server {
        listen 127.0.0.1:$proxy;
        location / {
            proxy_pass http://127.0.0.1:$packed;
            proxy_http_version 1.0;
            proxy_buffering off;
        }
    }
END

ok($n->ready, 'ready');

sub search {
    my ($query) = @_;

    my $r = $n->http('GET', "/api/manage/search?$query", %auth);

    $r->{json} = eval { decode_json($r->{body}) };
    return $r;
}

# a question whose answer is not read yet; in a small window, if it has one

sub ask {
    my ($port, $version, $query, $window, $more) = @_;

    my $socket = http_connect($port);

    setsockopt $socket, SOL_SOCKET, SO_RCVBUF, $window or die $! if $window;
    http_send($socket, "GET /api/manage/search?$query HTTP/$version\r\n"
                       . "Host: localhost\r\nConnection: close\r\n"
                       . "Authorization: Bearer $token\r\n"
                       . ($more // '') . "\r\n");
    return $socket;
}

# the rest of it, and whether it ended as an answer does

sub rest {
    my ($socket, $pause) = @_;

    my $text = '';

    while (IO::Select->new($socket)->can_read(10)) {
        my $got = sysread $socket, $text, 1 << 16, length $text;

        return ($text, 0) unless defined $got;
        return ($text, 1) if $got == 0;
        sleep $pause if $pause;
    }

    return ($text, 0);
}

sub body { return $_[0] =~ s/.*?\r\n\r\n//sr }

my $csv = search('format=csv')->{body};

is($csv =~ tr/\n//, $many + 1, 'all of them');


# HTTP/1.0: only the end of the connection tells where the reply ends

my ($text, $whole) = rest(ask($n->{port}, '1.0', 'format=csv'));

is($whole, 1, 'HTTP/1.0: an end');
unlike($text, qr/^transfer-encoding/im, 'no chunks');
ok(body($text) eq $csv, 'all of it');

for (['1.0', 'csv', $packed, 'HTTP/1.0'], ['1.0', 'ndjson', $packed, 'NDJSON'],
     ['1.1', 'ndjson', $proxy, 'a proxy that speaks it'])
{
    my ($version, $form, $port, $what) = @$_;
    my $socket = ask($port, $version, "format=$form", 65536);
    my $begin = '';

    IO::Select->new($socket)->can_read(10);
    sysread $socket, $begin, 4096;
    like($begin, qr{^HTTP/1\.\d 200 }, "$what: it begins");

    $t->redis_cli('RENAME', 'pki:{demo}:page:1', 'pki:{demo}:torn');
    ($text, $whole) = rest($socket);
    $t->redis_cli('RENAME', 'pki:{demo}:torn', 'pki:{demo}:page:1');

    $whole = 0 if $version eq '1.1' && $text !~ /\r\n0\r\n\r\n\z/;
    is($whole, 0, "$what: cut, and it does not look like an end");
}


# gzip, which keeps what it has until it is told otherwise

for my $pause (0, 0.005) {
    ($text, $whole) = rest(ask($packed, '1.0', 'format=csv', 0,
                               "Accept-Encoding: gzip\r\n"), $pause);
    is($whole, 1, "gzip, with pauses of $pause s: an end");
    ok($text =~ /^content-encoding: gzip/im, 'packed');

    my $packed_text = body($text);
    my $plain;

    ok(gunzip(\$packed_text, \$plain) && $plain eq $csv, 'all of it');
}


# page by page, while others record

my @before = map { (split /,/)[0] } split /\r\n/, $csv;
my (@seen, $next);

shift @before;

for my $page (1 .. 40) {
    my $r = search(defined $next ? "continuationToken=$next" : 'pageSize=400');

    is($r->{status}, 200, "page $page");
    push @seen, map { $_->{serialNumber} } @{ $r->{json}{items} };
    $next = $r->{json}{continuationToken} // last;
    fill($many + 1 + 100 * $page, 100) if $page < 6;
}

ok("@seen" eq "@before", 'what there was, each once, nothing else');

my %old = map { $_ => 1 } @before;

for my $sort ('subject', '-issued') {
    undef $next;
    my @sorted;

    for my $page (1 .. 30) {
        my $r = search(defined $next ? "continuationToken=$next"
                                     : "pageSize=500&sort=$sort");

        push @sorted, map { $_->{serialNumber} } @{ $r->{json}{items} };
        $next = $r->{json}{continuationToken} // last;
        fill($many + 1001 + 100 * $page, 10) if $sort eq 'subject' && $page < 4;
    }

    my %count;

    $count{$_}++ for @sorted;
    is((grep { $_ > 1 } values %count), 0, "$sort: none twice");
    is((grep { !$count{$_} } keys %old), 0, "$sort: none lacking");
}


# a text as long as a serial number, which is a part of names, in an order

my $digits = 'AB12' x 10;

for my $name ('one', 'two', 'three') {
    my $file = $t->cert($ca, "$digits-$name");

    run_ok($t->{admin}, 'record', '--redis', $t->redis_addr, '--issuer',
           'demo', $file);
}

for my $sort ('', '&sort=subject', '&sort=-serial') {
    my %names;

    undef $next;

    for (1 .. 4) {
        my $r = search(defined $next ? "continuationToken=$next"
                                     : "searchText=$digits&pageSize=1$sort");

        $names{ $_->{subject} }++ for @{ $r->{json}{items} };
        $next = $r->{json}{continuationToken} // last;
    }

    is(join(' ', map { "$_ $names{$_}" } sort keys %names),
       join(' ', map { "CN=$digits-$_ 1" } qw(one three two)),
       "found in its pages$sort");
}

$t->done;
