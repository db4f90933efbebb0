# An old and a new CA on one URL, and several CAs on several URLs.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my %ca = (
    old => $t->ca('old', subject => '/CN=The CA'),
    new => $t->ca('new', subject => '/CN=The CA'),
    other => $t->ca('other', key => 'rsa'),
);
my %leaf = map { $_ => $t->cert($ca{$_}, "leaf-$_") } keys %ca;
my $token = $t->token('admin', 'manage');

$t->redis;
$t->record($_, $leaf{$_}) for keys %ca;

my $n = $t->nginx(
    issuers => { map { $_ => "certificate $ca{$_}; key $t->{dir}/$_.key;" }
                 keys %ca },
    locations => <<"END",
        location /ocsp { pki_ocsp; }
        location /rollover { pki_ocsp old new; }
        location /other { pki_ocsp other; }
        location /api/ { pki_api; pki_api_tokens $t->{dir}/tokens; }
        location = /probe { pki_status probe; }
END
);

ok($n->ready, 'ready');

for my $issuer (sort keys %ca) {
    for my $hash (qw(sha1 sha256)) {
        is($n->ask($ca{$issuer}, $leaf{$issuer}, hash => $hash)->{cert},
           'good', "$issuer, $hash: good");
    }

    my ($status, $text) = $t->openssl_ocsp($n, $ca{$issuer}, '-cert',
                                           $leaf{$issuer});

    like($text, qr/Response verify OK/, "$issuer: signed in its name");
}

is($n->ask($ca{$_}, $leaf{$_}, uri => '/rollover')->{cert}, 'good',
   "/rollover: $_") for qw(old new);
is($n->ask($ca{other}, $leaf{other}, uri => '/rollover')->{status},
   'unauthorized', '/rollover: not the other');
is($n->ask($ca{old}, $leaf{old}, uri => '/other')->{status}, 'unauthorized',
   '/other: not the old');
is($n->ask($ca{other}, $leaf{other}, uri => '/other')->{cert}, 'good',
   '/other: other');

# the same serial number under two CAs is two certificates

my $serial = $t->serial;
my %twin = map { $_ => $t->cert($ca{$_}, "twin-$_", serial => $serial) }
           qw(old new);

$t->record($_, $twin{$_}) for keys %twin;
is($n->ask($ca{$_}, $twin{$_})->{cert}, 'good', "twin of $_") for qw(old new);
is($n->api('PATCH', "revoke/$serial?issuer=new", token => $token,
           body => { revocationReason => 1 })->{status}, 200, 'one is revoked');
is($n->ask($ca{new}, $twin{new})->{cert}, 'revoked', 'new: revoked');
is($n->ask($ca{old}, $twin{old})->{cert}, 'good', 'old: good');

is($n->ask($ca{new}, $leaf{old})->{cert}, 'unknown',
   "a serial of the old CA's asked for under the new");

# no one signer answers for both

my @ids = (certid($ca{old}, serial_of($leaf{old})),
           certid($ca{new}, serial_of($leaf{new})));

is($n->post(ocsp_request(\@ids))->{status}, 'unauthorized',
   'both in one request');
is(scalar @{ $n->post(ocsp_request([ ($ids[0]) x 2 ]))->{responses} }, 2,
   'two of one');

$t->done;
