# OCSP by POST: however the body travels, it is read whole or refused.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $good = $t->cert($ca, 'good');
my $other = $t->cert($ca, 'other');

$t->redis;
$t->record('demo', $good);
my $token = do { $t->token('t', 'manage') };

my $n = $t->nginx(http => 'client_body_buffer_size 1k;', locations => <<"END");
        location /ocsp { pki_ocsp; }
        location /file { pki_ocsp; client_body_in_file_only clean; }
        location /small { pki_ocsp; pki_ocsp_max_size 200; }
        location /narrow { pki_ocsp; client_max_body_size 50; }
        location = /probe { pki_status probe; }
        location /api/ { pki_api; pki_api_tokens $t->{dir}/tokens; }
END

ok($n->ready, 'ready');

my $der = ocsp_request([ certid($ca, serial_of($good)) ]);


# types

for ('application/ocsp-request', 'APPLICATION/OCSP-Request',
     'application/ocsp-request; charset=utf-8', 'text/plain', undef)
{
    my $r = $n->post($der, headers => { 'Content-Type' => $_ });

    is($r->{cert}, 'good', 'Content-Type ' . ($_ // 'missing'));
}

my $r = $n->post($der);

is($r->{http}{headers}{'content-type'}, 'application/ocsp-response',
   'the type of the answer');
is($r->{http}{headers}{'content-length'}, length $r->{http}{body},
   'and its length');
ok(!grep({ $r->{http}{headers}{$_} } qw(etag expires)),
   'nothing for shared caches');
unlike($r->{http}{headers}{'cache-control'} || '', qr/max-age=[1-9]/,
       'nor a max-age');


# ways a body travels

is($n->post($der, version => '1.0', headers => { Host => undef })->{cert},
   'good', 'HTTP/1.0 without Host');

for my $step (1, 7, 1000) {
    my $chunks = join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
                          unpack "(a$step)*", $der;
    my $c = $n->post("${chunks}0\r\n\r\n",
                     headers => { 'Transfer-Encoding' => 'chunked' });

    is($c->{cert}, 'good', "chunks of $step");
}

is($n->post($der, headers => { Expect => '100-continue' })->{cert}, 'good',
   'Expect: 100-continue');
is($n->post($der, uri => '/file')->{cert}, 'good', 'a body in a file');
is($n->post($der, uri => '/ocsp/')->{cert}, 'good', 'a slash behind');
is($n->post($der, uri => '/ocsp?x=y')->{cert}, 'good', 'a query');

# in a file there may be another's request: each its own answer

for my $uri ('/file', '/ocsp') {
    my @der = map { ocsp_request([ certid($ca, serial_of($_)) ]) }
              $good, $other;

    is(join(' ', map { $n->post($der[$_ % 2], uri => $uri)->{cert} } 0 .. 5),
       'good unknown good unknown good unknown', "$uri: answers do not mix");
}

my $big = ocsp_request([ map { certid($ca, serial_of($good),
                                      hash => 'sha512') } 1 .. 16 ]);

ok(length $big > 2048, 'a request of more than the buffer');
is(scalar @{ $n->post($big)->{responses} }, 16, 'is answered whole');
is(scalar @{ $n->post($big, uri => '/file')->{responses} }, 16,
   'also from a file');

my $socket = http_connect($n->{port});
my $head = "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: " . length($der)
           . "\r\n\r\n";

for my $cut (1, 10, length($der) - 1) {
    http_send($socket, $head . substr $der, 0, $cut);
    sleep 0.1;
    http_send($socket, substr $der, $cut);
    is(ocsp_read(http_read($socket, 'POST')->{body})->{cert}, 'good',
       "a body in two pieces, $cut first");
}

http_send($socket, join '', ($head . $der) x 5);
is(join(' ', map { ocsp_read(http_read($socket, 'POST')->{body})->{cert} }
             1 .. 5),
   'good good good good good', 'five requests at once on one connection');


# sizes

is($n->post('')->{status}, 'malformedRequest', 'an empty body');
is($n->http('POST', '/ocsp')->{status}, 200, 'no body at all');
is($n->post("\x30" x 10001)->{status}, 'malformedRequest', '10,001 octets');
is($n->post('x' x 20000)->{status}, 'HTTP 413', 'more than the maximum');
is($n->post($big, uri => '/small')->{status}, 'HTTP 413',
   'more than pki_ocsp_max_size');
is($n->post($der, uri => '/narrow')->{status}, 'HTTP 413',
   'more than client_max_body_size');

my $chunked = sprintf "%x\r\n%s\r\n0\r\n\r\n", 300, 'x' x 300;

is($n->post($chunked, uri => '/small',
            headers => { 'Transfer-Encoding' => 'chunked' })->{status},
   'HTTP 413', 'the same in chunks');


# octets that are not a request

for (['a newline behind', "$der\n"], ['garbage behind', "${der}garbage"],
     ['two requests', "$der$der"], ['base64 text', path_of($der)],
     ['indefinite length', "\x30\x80" . substr($der, 2) . "\0\0"],
     ['an empty list', seq(seq(seq()))], ['an empty sequence', seq()],
     ['version 2', ocsp_request([ certid($ca, '01') ], version => '01')],
     ['zeros', "\0" x 100], ['ones', "\xff" x 100])
{
    my ($name, $octets) = @$_;

    is($n->post($octets)->{status}, 'malformedRequest', $name);
}

# serial numbers that no certificate of ours has

for (['00', "\x02\x01\x00"], ['negative', "\x02\x01\x80"],
     ['40 octets', "\x02\x28" . 'A' x 40], ['one', "\x02\x01\x01"])
{
    my ($name, $raw) = @$_;
    my $u = $n->ask($ca, '01', raw_serial => $raw);

    is($u->{cert}, 'unknown', "serial number: $name");
    like($u->{responses}[0]{certid}, qr/\Q$raw\E$/, 'comes back as it was');
}

is($n->ask($ca, '01', raw_serial => "\x02\x02\x00\x01")->{status},
   'malformedRequest', 'serial number: padded');


# HTTP/2

SKIP: {
    skip 'curl without HTTP/2', 2
        unless (run('curl', '--version'))[1] =~ /HTTP2/;

    my $n2 = $t->nginx(server => 'listen 127.0.0.1:' . (my $port = free_port())
                                 . ' http2;');
    ok($n2->ready, 'ready');

    my $request = spew("$t->{dir}/request", $der);
    my $answer = "$t->{dir}/answer";
    my @curl = ('curl', '-sS', '--http2-prior-knowledge', '-o', $answer);

    run_ok(@curl, '--data-binary', "\@$request", '-H',
           'Content-Type: application/ocsp-request',
           "http://127.0.0.1:$port/ocsp");
    is(ocsp_read(slurp($answer))->{cert}, 'good', 'POST over HTTP/2');

    my $path = path_of($der) =~ s/([+\/=])/sprintf '%%%02x', ord $1/ger;

    run_ok(@curl, "http://127.0.0.1:$port/ocsp/$path");
    is(ocsp_read(slurp($answer))->{cert}, 'good', 'GET over HTTP/2');
}

$t->done;
