# Who is asked about: the CertID in all its forms, several at once, nonces
# and extensions.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $rolled = $t->ca('rolled', subject => '/CN=ca');
my $alias = $t->ca('alias', reuse => 'ca');
my $foreign = $t->ca('foreign');
my $good = $t->cert($ca, 'good');
my $revoked = $t->cert($ca, 'revoked');
my $token = $t->token('admin', 'manage');
my $serial = serial_of($good);

$t->redis;
$t->record('demo', $good, $revoked);

my $n = $t->nginx(issuer => 'archive_cutoff 1d;');

ok($n->ready, 'ready');
is($n->revoke($token, $revoked, 1)->{status}, 200, 'one is revoked');


# digests and parameters, each asked twice: from the store, from the cache

for my $hash (qw(sha1 sha256 sha384 sha512 sha1)) {
    for my $params (qw(null absent null)) {
        for (1 .. 2) {
            my $id = certid($ca, $serial, hash => $hash, params => $params);
            my $r = $n->post(ocsp_request([ $id ]));

            is($r->{cert}, 'good', "$hash, parameters $params");
            is($r->{responses}[0]{certid}, $id, 'CertID as asked');
        }
    }
}

my $r = $n->ask($ca, $good);

is($r->{responder}, 'key', 'responder by key');
is($r->{algorithm}, '1.2.840.10045.4.3.2', 'ecdsa-with-SHA256');
is(scalar @{ $r->{certs} }, 1, 'the signer comes along');
ok($r->{responses}[0]{extensions}{'1.3.6.1.5.5.7.48.1.6'}, 'archive cutoff');
ok(abs($r->{this} - time) < 3, 'thisUpdate is now');
is($r->{next} - $r->{this}, 600, 'for ten minutes');

for my $hash (qw(sha1 sha256)) {
    is($n->ask($foreign, $good, hash => $hash)->{status}, 'unauthorized',
       "$hash: another CA");
    is($n->ask($rolled, $good, hash => $hash)->{status}, 'unauthorized',
       "$hash: the name, another key");
    is($n->ask($alias, $good, hash => $hash)->{status}, 'unauthorized',
       "$hash: the key, another name");
}

is($n->ask($ca, $good, hash => 'md5')->{status}, 'unauthorized', 'MD5');
is($n->ask($ca, $good, name_hash => 'x')->{status}, 'unauthorized',
   'a hash that is too short');
is($n->ask($ca, serial_of($ca))->{cert}, 'good', "the CA's own certificate");
is($n->ask($ca, '507AEAC03CCEF83F106914418D9222E466A629C1')->{cert},
   'unknown', 'never issued');


# several

my @ids = map { certid($ca, serial_of($_)) } $good, $revoked, $good;

splice @ids, 2, 0, certid($ca, '0A');

$r = $n->post(ocsp_request(\@ids));
is(join(' ', map { $_->{cert} } @{ $r->{responses} }),
   'good revoked unknown good', 'four at once, in order, one twice');
is_deeply([ map { $_->{certid} } @{ $r->{responses} } ], \@ids,
          'CertIDs as asked');
is($r->{responses}[1]{reason}, 1, 'each with its own reason');

is($n->post(ocsp_request([ $ids[0], certid($foreign, '01') ]))->{status},
   'unauthorized', "ours and another CA's");
is(scalar @{ $n->post(ocsp_request([ ($ids[0]) x 16 ]))->{responses} }, 16,
   '16 at once');
is($n->post(ocsp_request([ ($ids[0]) x 17 ]))->{status}, 'malformedRequest',
   '17 at once');


# nonces

for my $len (1, 16, 32, 33, 127, 128) {
    my $nonce = join '', map { chr rand 256 } 1 .. $len;

    $r = $n->ask($ca, $good, nonce => $nonce);
    is($r->{cert}, 'good', "a nonce of $len octets");
    is($r->{nonce}, $nonce, 'comes back');
    ok(!$r->{nonce_critical}, 'not critical');
}

is($n->ask($ca, $good, nonce => 'n' x $_)->{status}, 'malformedRequest',
   "a nonce of $_ octets") for 0, 129, 1000;

$r = $n->ask($ca, $good, extensions => [ nonce_ext('abc', critical => 1) ]);
is($r->{nonce}, 'abc', 'a critical nonce');
ok(!$r->{nonce_critical}, 'comes back not critical');

is($n->ask($ca, $good, extensions => [ nonce_ext('a'), nonce_ext('b') ])
     ->{status}, 'malformedRequest', 'two nonces');

$r = $n->ask($ca, $good, single => [ nonce_ext('n' x 16) ]);
is($r->{cert}, 'good', 'a nonce in the wrong place');
ok(!defined $r->{nonce}, 'is none');

$r = $n->ask($ca, $good);
ok(!defined $r->{nonce}, 'no nonce, none back');


# extensions

my $strange = oid('1.2.3.4.5');
my $critical = tlv(0x01, "\xff");

for (['extensions', 'of the request'], ['single', 'of a certificate']) {
    my ($where, $name) = @$_;

    is($n->ask($ca, $good, $where => [ seq($strange, octets('x')) ])->{cert},
       'good', "unknown extension $name");
    is($n->ask($ca, $good,
               $where => [ seq($strange, $critical, octets('x')) ])->{status},
       'malformedRequest', "unknown and critical extension $name");
}

my $types = oid('1.3.6.1.5.5.7.48.1.4');
my $basic = oid('1.3.6.1.5.5.7.48.1.1');

is($n->ask($ca, $good, extensions => [ seq($types, octets(seq($basic))) ])
     ->{cert}, 'good', 'response types with basic');
is($n->ask($ca, $good, extensions => [ seq($types, octets(seq($strange))) ])
     ->{status}, 'malformedRequest', 'response types without it');

# preferred signature algorithms: what the signer cannot do is passed over

sub prefer {
    return seq(oid('1.3.6.1.5.5.7.48.1.8'),
               octets(seq(map { seq(seq(oid($_))) } @_)));
}

$r = $n->ask($ca, $good, extensions => [ prefer('1.2.840.113549.1.1.11',
                                                '1.2.840.10045.4.3.3') ]);
is($r->{algorithm}, '1.2.840.10045.4.3.3', 'ecdsa-with-SHA384 is preferred');

$r = $n->ask($ca, $good, extensions => [ prefer('1.2.840.113549.1.1.11') ]);
is($r->{algorithm}, '1.2.840.10045.4.3.2', 'RSA cannot be had from a P-256');

is($n->ask($ca, $good)->{algorithm}, '1.2.840.10045.4.3.2',
   'and the cache has not taken it up');

# names and signatures are accepted and ignored

my $name = seq(tlv(0x31, seq(oid('2.5.4.3'), tlv(0x0c, 'me'))));
my $signature = seq(seq(oid('1.2.840.10045.4.3.2')), tlv(0x03, "\0" . 'x' x 70));

is($n->ask($ca, $good, name => $name)->{cert}, 'good', "a requestor's name");
is($n->ask($ca, $good, name => $name, signature => $signature)->{cert},
   'good', 'a signature that is none');

my $signed = "$t->{dir}/signed";

run_ok('openssl', 'ocsp', '-issuer', $ca, '-cert', $good, '-signer', $good,
       '-signkey', "$t->{dir}/leaf.key", '-reqout', $signed, '-no_nonce');
is($n->post(slurp($signed))->{cert}, 'good', 'a signed request');

$t->done;
