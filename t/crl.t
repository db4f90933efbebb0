# CRLs and the CA's certificate as files: paths, tokens, headers, ranges, and
# what becomes of them when Redis, or a list in it, is gone.  The lists are
# any octets here; who makes real ones is in crl_clients.t.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use MIME::Base64 qw(decode_base64);
use POSIX qw(strftime);
use Socket qw(SOL_SOCKET SO_RCVBUF);
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $second = $t->ca('second');
my $token = 'aZ09-token-of_24.letters';
my $slices = 5;             # of 256 KB, for the big list

$t->redis;
spew("$t->{dir}/crl.token", "$token\n");

my $issuers = {
    demo => "certificate $ca; key $t->{dir}/ca.key;",
    second => "certificate $second; key $t->{dir}/second.key;",
};
my $slow_port = free_port();
my $n = $t->nginx(issuers => $issuers, http => <<"SLOW", server => <<"END");
    server {
        listen 127.0.0.1:$slow_port sndbuf=16k;
        location /crl/ { pki_crl demo; }
    }
SLOW
        location /crl/ { pki_crl demo; }
        location /bare { pki_crl demo; }
        location /second/ { pki_crl second; }
        location /secret/ {
            pki_crl demo;
            pki_crl_token_file $t->{dir}/crl.token;
        }
        location /ca { pki_ca demo; }
        location = /exact { pki_ca second; }
END

my $many = $t->nginx(issuers => $issuers, workers => 2,
                     server => 'location /crl/ { pki_crl demo; }');

ok($_->ready, 'ready') for $n, $many;

# Publishes $count times the text, as pki_list.c does it; times from now.

sub publish {
    my ($which, $number, $text, %o) = @_;

    my $list = $text x ($o{count} || 1);
    my $now = time;
    my $record = join ' ', 1, $number, $o{base} || 0,
                 map({ int } $now + ($o{from} // -60),
                     $now + ($o{to} // 3600)),
                 length $list, $o{etag} || sha256_hex($list);
    my $issuer = $o{issuer} || 'demo';
    my $key = "pki:{$issuer}:" . ($which eq 'full' ? 'crl' : 'delta')
              . ":$number";

    $t->redis_cli('EVAL', "redis.call('SET', KEYS[1],"
                  . " string.rep(ARGV[1], tonumber(ARGV[2])))", 1, $key,
                  $text, $o{count} || 1) unless $o{lost};
    $t->redis_cli('HSET', "pki:{$issuer}:crl", $which, $record);
    $t->redis_cli('PUBLISH', 'pki:news', "crl:$issuer");

    return $list;
}

sub get { my ($uri, %o) = @_; return $n->http('GET', $uri, %o) }

sub shows {
    my ($uri, $list, $what) = @_;

    ok(wait_until(10, sub { get($uri)->{body} eq $list }), $what);
}


# none yet

for my $uri ('/crl/', '/crl/pem', '/crl/delta', "/secret/$token") {
    my $r = get($uri);

    is($r->{status}, 503, "$uri: there is none yet");
    is($r->{headers}{'retry-after'}, 10, 'when to ask again');
}


# what it looks like

my $first = publish('full', 10, 'the first list, ', count => 40);
shows('/crl/', $first, 'the first one, by its news');

my $r = get('/crl/');
my $etag = '"' . sha256_hex($first) . '"';
my $modified = $r->{headers}{'last-modified'};

is($r->{status}, 200, 'there');
is($r->{headers}{'content-type'}, 'application/pkix-crl', 'its type');
is($r->{headers}{'content-length'}, length $first, 'its length');
is($r->{headers}{etag}, $etag, 'its ETag is the hash');
is($r->{headers}{'content-disposition'},
   'attachment; filename="demo.crl"', 'its name');
is($r->{headers}{'accept-ranges'}, 'bytes', 'in ranges');
like($r->{headers}{'cache-control'}, qr/^max-age=(\d+), public,/, 'public');

my ($age) = $r->{headers}{'cache-control'} =~ /max-age=(\d+)/;
ok($age > 3500 && $age <= 3600, "until nextUpdate: $age");

my ($at) = $t->redis_cli('HGET', 'pki:{demo}:crl', 'full')
           =~ /^1 10 0 (\d+) /;
is($modified, strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime $at),
   'Last-Modified is thisUpdate');

$r = $n->http('HEAD', '/crl/');
is($r->{status}, 200, 'HEAD');
is($r->{headers}{'content-length'}, length $first, 'its length');
is($r->{headers}{etag}, $etag, 'its ETag');
is($r->{body}, '', 'nothing else');

$r = get('/crl/pem');
is($r->{headers}{'content-type'}, 'application/x-pem-file', 'PEM');
is($r->{headers}{etag}, $etag =~ s/"$/-pem"/r, 'has an ETag of its own');
ok(!defined $r->{headers}{'content-disposition'}, 'and is shown');

my ($base64) = $r->{body} =~ /\A-----BEGIN\ X509\ CRL-----\n
                              ((?:[A-Za-z0-9+\/=]{1,64}\n)+)
                              -----END\ X509\ CRL-----\n\z/x;

is(decode_base64($base64 // ''), $first, 'the same octets');


# paths

my $delta = publish('delta', 12, 'the delta', base => 10);
shows('/crl/delta', $delta, 'the delta');

my %file = (der => $first, delta => $delta);

sub unarmoured { my ($r) = @_; return decode_base64($r->{body} =~ s/^-.*//mgr) }

for (['/crl/', 'der'], ['/crl/demo.crl', 'der'], ['/bare', 'der'],
     ['/bare/', 'der'], ['/crl/?x=y', 'der'], ['/crl/delta', 'delta'],
     ['/crl/delta/', 'delta'], ['/crl/demo-delta.crl', 'delta'],
     ['/bare/delta', 'delta'])
{
    my ($uri, $what) = @$_;

    is(get($uri)->{body}, $file{$what}, "$uri: $what");
}

for (['/crl/pem', 'der'], ['/crl/demo.pem', 'der'], ['/bare/pem', 'der'],
     ['/crl/delta/pem', 'delta'], ['/crl/demo-delta.pem', 'delta'])
{
    my ($uri, $what) = @$_;

    is(unarmoured(get($uri)), $file{$what}, "$uri: $what, PEM");
}

is(get('/crl/delta')->{headers}{'content-disposition'},
   'attachment; filename="demo-delta.crl"', 'the name of the delta');

for (qw(x pem/ pem/x delta/x deltax delta/pem/ demo.crl/ demo.crlx demo
        demo. demo-delta demo-.crl second.crl demo.pem.crl demo-delta.crl.pem
        pem/delta .crl), $token, "pem/$token")
{
    is(get("/crl/$_")->{status}, 404, "/crl/$_: there is none");
}

for my $method (qw(POST PUT DELETE OPTIONS)) {
    $r = $n->http($method, '/crl/', body => '');

    is($r->{status}, 405, "no $method");
    is($r->{headers}{allow}, 'GET, HEAD', 'says so');
}

is($n->http('GET', '/crl/', body => 'x' x 100)->{status}, 413,
   'a body is not wanted');
is(get('/second/')->{status}, 503, 'the other issuer has none');


# with a token

is(get("/secret/$token")->{body}, $first, 'the token');
is(unarmoured(get("/secret/pem/$token")), $first, 'PEM');
is(get("/secret/delta/$token")->{body}, $delta, 'delta');
is(unarmoured(get("/secret/delta/pem/$token")), $delta, 'delta, PEM');
is($n->http('HEAD', "/secret/$token")->{headers}{etag}, $etag, 'HEAD');

for ('', 'pem', 'pem/', 'delta', 'delta/pem', 'demo.crl', 'demo.pem',
     substr($token, 1), substr($token, 0, -1), "${token}x", uc $token,
     "$token/", "pem/pem/$token", "pem/delta/$token", "delta/delta/$token",
     $token =~ s/z/y/ir, "x/$token", '%2e%2e')
{
    $r = get("/secret/$_");
    is($r->{status}, 404, "not with \"$_\"");
    unlike($r->{body}, qr/list|delta/, 'nothing of it');
}

unlike($n->log, qr/\Q$token\E/, 'it is in no line of the log');


# what has not changed

for (['If-None-Match', $etag, 304], ['If-None-Match', "W/$etag", 304],
     ['If-None-Match', "\"x\", $etag", 304], ['If-None-Match', '*', 304],
     ['If-None-Match', '"x"', 200], ['If-Modified-Since', $modified, 304],
     ['If-Modified-Since', 'Thu, 01 Jan 2015 00:00:00 GMT', 200])
{
    my ($name, $value, $status) = @$_;

    $r = get('/crl/', headers => { $name => $value });
    is($r->{status}, $status, "$name: $value");
    is($r->{body}, $status == 304 ? '' : $first, 'its octets');
    is($r->{headers}{etag}, $etag, 'its ETag');
}

is(get('/crl/pem', headers => { 'If-None-Match' => $etag })->{status}, 200,
   'PEM is another file');


# ranges

for (['0-9', 0, 10], ['5-', 5, length($first) - 5],
     ['-7', length($first) - 7, 7], ['630-9999', 630, length($first) - 630])
{
    my ($range, $from, $len) = @$_;

    $r = get('/crl/', headers => { Range => "bytes=$range" });
    is($r->{status}, 206, "bytes=$range");
    is($r->{body}, substr($first, $from, $len), 'those');
    is($r->{headers}{'content-range'}, sprintf('bytes %d-%d/%d', $from,
       $from + $len - 1, length $first), 'which');
}

$r = get('/crl/', headers => { Range => 'bytes=0-1,10-12' });
is($r->{status}, 206, 'two ranges');
like($r->{body}, qr/\r\n\r\nth\r\n--.*\r\n\r\nlis\r\n--/s, 'both');
is(get('/crl/', headers => { Range => 'bytes=9999-' })->{status}, 416,
   'behind the end');

$r = get('/crl/', headers => { Range => 'bytes=0-9', 'If-Range' => $etag });
is($r->{status}, 206, 'a range of the one that is known');
$r = get('/crl/', headers => { Range => 'bytes=0-9', 'If-Range' => '"x"' });
is($r->{body}, $first, 'all of another one');


# a newer one, in many slices, for many at once

sub asked {
    my ($calls) = $t->redis_cli('INFO', 'commandstats')
                  =~ /cmdstat_getrange:calls=(\d+)/;
    return $calls // 0;
}

my $big = publish('full', 13, 'a big one, 32 octets, to be cut|',
                  count => $slices * 8192 - 100);
my $before = asked();

shows('/crl/', $big, 'a big one');
is(asked() - $before, $slices, 'in slices');
is(unarmoured(get('/crl/pem')), $big, 'PEM');

$r = get('/crl/', headers => { Range => 'bytes=262140-262149' });
is($r->{body}, substr($big, 262140, 10), 'a range across two slices');
get('/crl/') for 1 .. 10;
is(asked() - $before, $slices, 'kept: Redis is not asked for it again');

my @sockets = map { http_connect($many->{port}) } 1 .. 30;

http_send($_, "GET /crl/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    for @sockets;

my @bodies = map { http_read($_, 'GET')->{body} } @sockets;

is(scalar(grep { $_ eq $big } @bodies), 30, '30 at once');
ok(asked() - $before <= 3 * $slices, 'loaded once by each worker: '
   . (asked() - $before) . ' slices');


# who reads slowly gets the one that it began with

my $slow = http_connect($slow_port);

setsockopt $slow, SOL_SOCKET, SO_RCVBUF, pack 'i', 65536;
http_send($slow, "GET /crl/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
sysread $slow, my $begun, 1000;

my $third = publish('full', 14, 'the third');
shows('/crl/', $third, 'a newer one');

my $rest = do { local $/; <$slow> };
is(($begun . $rest) =~ s/.*?\r\n\r\n//sr, $big,
   'the older one to its end, to who has begun');


# what is not as its record says is not served

sub stays {
    my ($what, $line) = @_;
    my $bad;

    ok(wait_until(10, sub {
        $bad ||= get('/crl/')->{body} ne $third;
        $n->log =~ /\[error\].*$line/;
    }), "$what: is told");
    ok(!$bad && get('/crl/')->{body} eq $third,
       "$what: the older one stays");
}

publish('full', 15, 'damaged', etag => 'a' x 64);
stays('the hash is wrong', 'a published list is damaged');

publish('full', 16, 'gone', lost => 1);
stays('it is not there', 'a published list is not there');

$t->redis_cli('HSET', 'pki:{demo}:crl', 'full', 'nonsense');
$t->redis_cli('PUBLISH', 'pki:news', 'crl:demo');
stays('nonsense', 'unreadable list record');

my $fourth = publish('full', 17, 'the fourth');
shows('/crl/', $fourth, 'a good one');

$t->redis_cli('DEL', 'pki:{demo}:crl');
$t->redis_cli('PUBLISH', 'pki:news', 'crl:demo');
ok(wait_until(5, sub { get('/crl/')->{status} == 503 }), 'withdrawn');


# lists that come and go while they are fetched: each is whole

my (%seen, $torn);

for my $i (1 .. 15) {
    my @all = map { http_connect($many->{port}) } 1 .. 8;

    publish('full', 20 + $i, "list $i, ", count => 70000 + $i);
    http_send($_, "GET /crl/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                  . "\r\n") for @all;
    publish('full', 50 + $i, "list $i again, ", count => 70000);
    $t->redis_cli('DEL', 'pki:{demo}:crl:' . (20 + $i));

    for (@all) {
        $r = http_read($_, 'GET');
        $seen{ $r->{status} }++;

        $torn++ if $r->{status} != 200
                   || $r->{headers}{etag} ne '"' . sha256_hex($r->{body}) . '"'
                   || $r->{headers}{'content-length'} != length $r->{body};
    }

    $t->redis_cli('DEL', 'pki:{demo}:crl:' . (50 + $i)) if $i < 15;
}

is($torn // 0, 0, 'each list is as its ETag says')
    or diag(map { "status $_: $seen{$_}\n" } sort keys %seen);


# without Redis, until it ends

my $short = publish('full', 80, 'a short life', to => 5);
my $end = time + 5;

shows('/crl/', $short, 'one that ends soon');
like(get('/crl/')->{headers}{'cache-control'}, qr/^max-age=[0-5],/,
     'may not be kept longer');
$t->redis_signal('STOP');
sleep 0.5;

my @late = map { get('/crl/') } 1 .. 6;
my $late = time;

SKIP: {
    skip 'this host is too slow', 6 if $late >= $end - 1;

    is($_->{body}, $short, 'served while Redis hangs') for @late;
}

sleep $end - time + 1 if $end > time;
is(get('/crl/')->{status}, 503, 'never after its nextUpdate') for 1 .. 4;
is($n->http('HEAD', '/crl/pem')->{status}, 503, 'PEM neither');

$t->redis_signal('CONT');
my $fifth = publish('full', 81, 'the fifth');
shows('/crl/', $fifth, 'Redis is back');

$t->redis_stop;
sleep 0.2;
is(get('/crl/')->{body}, $fifth, 'Redis is gone: it is still served')
    for 1 .. 4;
$t->redis;
ok($n->ready, 'Redis is back');
ok($n->reload, 'new workers');
shows('/crl/', $fifth, 'have it');


# the CA's certificate

my $der = run_ok('openssl', 'x509', '-in', $ca, '-outform', 'DER');

for my $accept (undef, '*/*', 'application/pkix-cert', 'text/html',
                'application/x-unheard-of')
{
    $r = get('/ca', headers => { Accept => $accept });
    is($r->{status}, 200, 'the CA, for Accept: ' . ($accept // 'none'));
    is($r->{body}, $der, 'its certificate');
}

is($r->{headers}{'content-type'}, 'application/pkix-cert', 'its type');
is($r->{headers}{'content-disposition'}, 'attachment; filename="demo.cer"',
   'its name');
is($r->{headers}{etag}, '"' . sha256_hex($der) . '"', 'its ETag');
ok(!defined $r->{headers}{'last-modified'}, 'of no date');
is(get('/ca', headers => { 'If-None-Match' => $r->{headers}{etag} })
   ->{status}, 304, 'not changed');
is(get('/ca/')->{body}, $der, 'with a slash');
is(get('/ca/x')->{status}, 404, 'nothing below');
is($n->http('POST', '/ca', body => '')->{status}, 405, 'no POST');
is(get('/exact')->{body},
   run_ok('openssl', 'x509', '-in', $second, '-outform', 'DER'), 'another');


# configurations that are refused

$t->allow(qr/\[emerg\]/);

spew("$t->{dir}/bad.token", "no/token/of/ours\n");
spew("$t->{dir}/empty.token", "\n");

for (['pki_crl;', qr/invalid number of arguments in "pki_crl"/],
     ['pki_crl demo x;', qr/invalid number of arguments in "pki_crl"/],
     ['pki_crl nobody;', qr/pki_issuer "nobody" not found/],
     ['pki_ca nobody;', qr/pki_issuer "nobody" not found/],
     ['pki_crl demo; pki_ca demo;', qr/serves something else already/],
     ['pki_crl demo; pki_crl demo;', qr/is duplicate/],
     ['pki_crl demo; pki_crl_token_file none;', qr/open\(\) ".*none" failed/],
     ["pki_crl demo; pki_crl_token_file $t->{dir}/empty.token;",
      qr/no secret in the first line/],
     ["pki_crl demo; pki_crl_token_file $t->{dir}/bad.token;",
      qr/stands in paths/],
     ["pki_crl demo; pki_crl_token_file $t->{dir}/crl.token;"
      . "pki_crl_token_file $t->{dir}/crl.token;", qr/is duplicate/])
{
    my ($text, $want) = @$_;
    my $bad = $t->nginx(start => 0, locations => "location /x/ { $text }");
    my ($status, $said) = $bad->check;

    ok($status != 0, "refused: $text");
    like($said, $want, 'in words');
    unlike($said, qr{no/token/of/ours|\Q$token\E}, 'without the token');
}

my ($status, $said) = $t->nginx(start => 0,
                                locations => 'location ~ x { pki_crl demo; }')
                      ->check;
like($said, qr/needs a location with a prefix/, 'no regex');

$t->done;
