# Whatever comes in, a well-formed refusal goes out and the worker lives.

use strict;
use warnings;

use Socket qw(SOL_SOCKET SO_LINGER);

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $good = $t->cert($ca, 'good');
my $token = $t->token('admin', 'manage');

$t->redis;
$t->record('demo', $good);

my $n = $t->nginx(http => 'client_header_timeout 2s; client_body_timeout 2s;',
                  events => 'worker_connections 1024;');

ok($n->ready, 'ready');

my ($worker) = $n->workers;
my $serial = serial_of($good);
my $der = ocsp_request([ certid($ca, $serial), certid($ca, $serial) ],
                       nonce => 'n' x 16,
                       extensions => [ seq(oid('1.2.3'), octets('x')) ]);
my $socket = http_connect($n->{port});

srand 20261122;

sub alive {
    my ($what) = @_;

    is($n->ask($ca, $good)->{cert}, 'good', "$what: it still answers");
    is(join(' ', $n->workers), $worker, 'the same worker');
}

# one request on the connection that is kept: how it was answered

sub answer {
    my ($method, $uri, $body) = @_;

    my $r = $n->http($method, $uri, body => $body, socket => $socket);

    $socket = http_connect($n->{port})
        if !$r->{status} || ($r->{headers}{connection} || '') ne 'keep-alive';

    return "HTTP $r->{status}" if $r->{status} != 200;

    my $a = eval { ocsp_read($r->{body}) } or return "broken: $@";
    return $a->{status};
}

sub tally {
    my ($what, $allowed, @answers) = @_;

    my %seen;

    $seen{$_}++ for @answers;
    is(join(', ', grep { $_ !~ $allowed } sort keys %seen), '',
       "$what: " . join ', ', map { "$seen{$_} $_" } sort keys %seen);
    alive($what);
}


# cut at every octet

tally('POST cut', qr/^malformedRequest$/,
      map { answer('POST', '/ocsp', substr $der, 0, $_) }
      0 .. length($der) - 1);

# without the padding, which nobody needs

my $b64 = path_of($der) =~ s/=+$//r;

tally('GET cut', qr/^(malformedRequest|HTTP 40\d)$/,
      map { answer('GET', '/ocsp/' . substr $b64, 0, $_) }
      0 .. length($b64) - 1);

my $path = $b64 =~ s/(.)/sprintf '%%%02x', ord $1/ger;

tally('escaped GET cut', qr/^(malformedRequest|HTTP 40\d)$/,
      map { answer('GET', '/ocsp/' . substr $path, 0, $_) }
      0 .. length($path) - 1);


# one octet changed, at every place

my @flipped;

for my $i (0 .. length($der) - 1) {
    for my $bit (0x01, 0x80, 0xff) {
        my $copy = $der;

        substr($copy, $i, 1) ^= chr $bit;
        push @flipped, answer('POST', '/ocsp', $copy);
    }
}

my $any = qr/^(malformedRequest|unauthorized|successful)$/;

tally('POST flipped', $any, @flipped);


# garbage

tally('random octets', $any, map {
    answer('POST', '/ocsp', join '', map { chr rand 256 } 0 .. rand 300)
} 1 .. 300);

tally('random DER', $any, map { answer('POST', '/ocsp', random_der(0)) }
                          1 .. 300);

tally('random paths', qr/^(malformedRequest|HTTP 40[0-9]|HTTP 200)$/, map {
    my $junk = join '', map { chr(33 + rand 94) } 0 .. rand 100;

    answer('GET', "/ocsp/" . $junk =~ tr/#?//dr)
} 1 .. 300);

tally('deep nesting', qr/^malformedRequest$/, map {
    my $x = '';

    $x = seq($x) for 1 .. $_;
    answer('POST', '/ocsp', $x);
} 1, 2, 10, 100, 1000);

tally('lengths that lie', qr/^malformedRequest$/, map {
    answer('POST', '/ocsp', $_)
} "\x30\x84\xff\xff\xff\xff", "\x30\x84\x7f\xff\xff\xff" . $der,
  "\x30\x88\0\0\0\0\0\0\0\1\0", "\x30\xff" . 'x' x 200, "\x30\x80\0\0",
  "\x1f\xff\xff\xff\x01\0", "\x30\x02\x30\x7f");


# the same of a REST call

my @auth = (token => $token);

sub call {
    my ($uri, $body) = @_;

    my $r = $n->api('PATCH', $uri, token => $token, body => $body,
                    socket => $socket);

    $socket = http_connect($n->{port})
        if !$r->{status} || ($r->{headers}{connection} || '') ne 'keep-alive';

    return "HTTP $r->{status}";
}

my $json = '{"revocationReason":6,"revoker":"a\u00e9\ud83d\ude00",'
           . '"comment":null}';
my $refused = qr/^HTTP 4\d\d$/;

tally('JSON cut', $refused,
      map { call("revoke/$serial", substr $json, 0, $_) }
      0 .. length($json) - 1);
tally('random JSON', $refused, map {
    call("revoke/$serial", join '', map { substr '{}[]":,0123eE+-.tfn\\u ',
                                                 rand 23, 1 } 0 .. rand 60)
} 1 .. 300);
tally('nested JSON', $refused, map { call("revoke/$serial", $_) }
      '[' x 10000, '{"a":' x 2000, '{"revocationReason":' . '1' x 10000 . '}',
      '{"revocationReason":1e400}', "\xef\xbb\xbf{}", "\0" x 100);
tally('serials', $refused, map { call("revoke/$_", $json) }
      'F' x 41, '0', ':', 'A:', '%', '%zz', '%00', '..', '../..', "\xff",
      ('1' x 7000));
tally('tokens', qr/^HTTP 40[01]$/, map {
    'HTTP ' . $n->api('GET', "certificates/$serial", token => $_)->{status}
} 'x' x 4000, "\xff\xfe", "a\tb", '=' x 64, 'a' x 64);


# connections

for (1 .. 50) {
    my $c = http_connect($n->{port});
    close $c;
}

alive('50 connections without a word');

my @half = map {
    my $c = http_connect($n->{port});

    http_send($c, "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: 87\r\n"
                  . ($_ % 2 ? "\r\nabc" : ''));
    $c;
} 1 .. 200;

alive('200 half requests');
sleep 2.5;
alive('when their time is up');

for my $when (0, 0.01, 0.1) {
    for (1 .. 20) {
        my $c = http_connect($n->{port});

        setsockopt $c, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
        http_send($c, "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: "
                      . length($der) . "\r\n\r\n$der");
        sleep $when;
        close $c;
    }
}

alive('connections reset');

my $pipe = http_connect($n->{port});
my $one = "GET /ocsp/$b64 HTTP/1.1\r\nHost: x\r\n\r\n"
          . "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
          . "HEAD /ocsp/AAAA HTTP/1.1\r\nHost: x\r\n\r\n";

http_send($pipe, $one x 30);

my @got = map {
    my $method = (qw(GET POST HEAD))[$_ % 3];
    my $r = http_read($pipe, $method);

    $method eq 'HEAD' ? $r->{status}
                      : eval { ocsp_read($r->{body})->{status} } // 'broken';
} 0 .. 89;

is_deeply(\@got, [ (qw(successful malformedRequest), 200) x 30 ],
          '90 requests at once on one connection');
alive('pipelining');

tally('chunks that lie', qr/^HTTP (400|0|408)$/, map {
    'HTTP ' . http_raw($n->{port}, "POST /ocsp HTTP/1.1\r\nHost: x\r\n"
                       . "Connection: close\r\n"
                       . "Transfer-Encoding: chunked\r\n\r\n$_",
                       shutdown => 1)->{status}
} "x\r\n", "-1\r\n", "ffffffffffffffffff\r\n", "5\r\nabc\r\n0\r\n\r\n");

$t->done;


sub random_der {
    my ($depth) = @_;

    my @tags = (0x02, 0x04, 0x05, 0x06, 0x0a, 0x03, 0x18);
    my @nested = (0x30, 0x30, 0x30, 0xa0, 0xa1, 0xa2);

    return tlv($tags[rand @tags], join '', map { chr rand 256 } 1 .. rand 25)
        if $depth > 2 && rand() < 0.5 || $depth > 8;

    return tlv($nested[rand @nested],
               map { random_der($depth + 1) } 0 .. rand 3);
}
