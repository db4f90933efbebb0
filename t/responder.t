# Who signs: a certificate made in memory and renewed, the CA, or one from
# files, and keys that are not in PEM files.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca', from => '20250101000000Z', to => '20491231235959Z');
my $good = $t->cert($ca, 'good');

$t->redis;
$t->record('demo', $good);

# openssl's own verdict on an answer

sub verified {
    my ($n, @args) = @_;

    my ($status, $text) = $t->openssl_ocsp($n, $ca, '-cert', $good, @args);

    return $status == 0 && $text =~ /Response verify OK/
           && $text =~ /good\.pem: good/ ? 'verified' : $text;
}

sub responder_cert {
    my ($n) = @_;

    my $r = $n->ask($ca, $good);
    my $file = spew("$t->{dir}/responder.der", $r->{certs}[0] // '');

    return $file;
}

sub text_of {
    return run_ok('openssl', 'x509', '-inform', 'DER', '-in', shift,
                  '-noout', '-text');
}


# auto: P-256, RSA

for (['p256', 'p256', 'prime256v1', '1.2.840.10045.4.3.2'],
     ['rsa2048', 'rsa2048', '2048 bit', '1.2.840.113549.1.1.11'])
{
    my ($name, $key, $kind, $algorithm) = @$_;
    my $n = $t->nginx(issuer => "responder auto key=$key;");

    ok($n->ready, 'ready');
    is(verified($n), 'verified', "$name: verified");
    is(verified($n, '-no_nonce'), 'verified', "$name: without nonce");

    my $text = text_of(responder_cert($n));

    like($text, qr/\Q$kind\E/, "$name: the key's kind");
    like($text, qr/OCSP Signing/, 'for OCSP signing');
    like($text, qr/OCSP No Check/i, 'not to be checked itself');
    is($n->ask($ca, $good)->{algorithm}, $algorithm, 'the algorithm');

    my ($from, $to) = $text =~ /Not Before: (.*)\n\s+Not After : (.*)/;
    my ($hours) = map { $_ / 3600 } date($to) - date($from);

    is($hours, 48, 'a day back and a day ahead');
    $n->stop;
}


# auto, short-lived: renewed before its end, without a gap

{
    my $n = $t->nginx(issuer => 'responder auto valid=8s backdate=1m;'
                                . 'validity good 2s;');

    ok($n->ready, 'ready');

    my (%certs, @bad);
    my $end = time + 20;

    while (time < $end) {
        my $r = $n->ask($ca, $good);

        if (($r->{cert} || '') eq 'good') {
            $certs{ $r->{certs}[0] }++;
            push @bad, 'nextUpdate' if $r->{next} < time - 1;

        } else {
            push @bad, $r->{status};
        }

        sleep 0.1;
    }

    is("@bad", '', 'good without a gap');
    cmp_ok(scalar keys %certs, '>=', 3, 'several certificates in turn');
    cmp_ok(scalar keys %certs, '<=', 8, 'but not one per answer');
    is(verified($n), 'verified', 'verified');

    # an answer never outlives its signer
    my $long = $t->nginx(issuer => 'responder auto valid=1h;'
                                   . 'validity good 2d;');

    ok($long->ready, 'ready');

    my $r = $long->ask($ca, $good);
    my ($to) = text_of(spew("$t->{dir}/r.der", $r->{certs}[0]))
               =~ /Not After : (.*)/;

    cmp_ok($r->{next}, '<=', date($to), 'nextUpdate within the signer');
}


# the CA itself

{
    my $n = $t->nginx(issuer => 'responder ca;');

    ok($n->ready, 'ready');
    is(verified($n), 'verified', 'ca: verified');
    is(scalar @{ $n->ask($ca, $good)->{certs} }, 0, 'no certificate comes');
}


# from files

my $ext = "keyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning\n"
          . "noCheck=ignored\n";

for my $type (qw(ec rsa p384 ed25519)) {
    my $cert = $t->cert($ca, "resp-$type", key => "resp-$type.k",
                        serial => '01' . unpack('H*', $type), ext => $ext)
        if $t->key("resp-$type.k", $type);
    my $n = $t->nginx(issuer => "responder file $cert "
                                . "$t->{dir}/resp-$type.k.key;");

    ok($n->ready, 'ready');
    is(verified($n), 'verified', "file, $type: verified");
    is($n->ask($ca, $good)->{certs}[0], PKI::OCSP::pem_der($cert),
       'it is the one of the file');
}


# other CAs

for my $type (qw(rsa p384 ed25519)) {
    my $other = $t->ca("ca-$type", key => $type);
    my $leaf = $t->cert($other, "leaf-$type");

    $t->record("i-$type", $leaf);

    for my $responder ('auto', 'ca') {
        my $n = $t->nginx(issuers => { "i-$type" =>
            "certificate $other; key $t->{dir}/ca-$type.key;"
            . "responder $responder;" });

        ok($n->ready, 'ready');

        my ($status, $text) = $t->openssl_ocsp($n, $other, '-cert', $leaf);

        like($text, qr/Response verify OK.*leaf-$type\.pem: good/s,
             "$type CA, responder $responder");
    }
}


# a key by URI

{
    my $n = $t->nginx(issuers => { demo => "certificate $ca;"
        . "key store:file:$t->{dir}/ca.key;" });

    ok($n->ready, 'ready');
    is(verified($n), 'verified', 'key store:file:...');
}

$t->done;


sub date {
    chomp(my $s = run_ok('date', '-u', '-d', shift, '+%s'));
    return $s;
}
