package PKI::SCEP;

# Messages of SCEP (RFC 8894), written octet by octet as SCEPman's clients send
# them, and the replies taken apart.  Signatures and ciphers are openssl's.
#
#     my $scep = PKI::SCEP->new($t, $ca);
#     my $m = $scep->message(key => $key, cert => $cert, csr => $der);
#     my $reply = $scep->reply($body, key => $key, cert => $cert);

use strict;
use warnings;

use PKI::DER;
use PKI::Test ();

our $transaction = 'z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGN'
                   . 'KHfuwvY7kxvUdBeoGlODJ6+SfaPg==';
our $nonce = "0123456789\0abcde";

my $vendor = '2.16.840.1.113733.1.9';
my $pkcs7 = '1.2.840.113549.1.7';
my $pkcs9 = '1.2.840.113549.1.9';

my %digest = (
    md5    => '1.2.840.113549.2.5',
    sha1   => '1.3.14.3.2.26',
    sha256 => '2.16.840.1.101.3.4.2.1',
    sha512 => '2.16.840.1.101.3.4.2.3',
);


sub new {
    my ($class, $t, $ca) = @_;
    return bless { t => $t, ca => $ca }, $class;
}

sub _file { my ($s, $name) = @_; return "$s->{t}{dir}/scep.$name" }

sub _openssl {
    my ($s, $command, @args) = @_;

    my $out = $s->_file('out');

    unlink $out;
    PKI::Test::run_ok('openssl', $command, '-out', $out, @args);

    return PKI::Test::slurp($out);
}

# a self-signed certificate, as a client makes it for its first request

sub temporary {
    my ($s, $key, %o) = @_;

    my $file = $s->_file('temporary' . ++$s->{n} . '.pem');

    PKI::Test::run_ok('openssl', 'req', '-new', '-x509', '-key', $key, '-subj',
                      $o{subject} || '/CN=temporary', '-days', 1, '-out',
                      $file);
    return $file;
}

# key, cert: the signer's; csr => DER; type => '19', digest => 'md5', cipher =>
# 'aes256', to => CA, id, nonce, spoil => 1: a wrong signature

sub message {
    my ($s, %o) = @_;

    my $md = $o{digest} || 'md5';
    my $algorithm = seq(oid($digest{$md}), null());
    my $in = PKI::Test::spew($s->_file('in'), $o{csr});
    my $envelope = $s->_openssl('cms', '-encrypt', '-binary', '-in', $in,
                                '-outform', 'DER', '-' . ($o{cipher}
                                                          || 'aes256'),
                                '-recip', $o{to} || $s->{ca});

    $in = PKI::Test::spew($s->_file('in'), $envelope);

    my $hash = $s->_openssl('dgst', "-$md", '-binary', $in);
    my @attributes = (
        _attribute("$pkcs9.3", oid("$pkcs7.1")),
        _attribute("$pkcs9.4", octets($hash)),
        _attribute("$vendor.2", tlv(0x13, $o{type} || '19')),
        _attribute("$vendor.7", tlv(0x13, $o{id} // $transaction)),
        _attribute("$vendor.5", octets($o{nonce} // $nonce)),
    );
    my $attributes = join '', sort @attributes;

    $in = PKI::Test::spew($s->_file('in'), tlv(0x31, $attributes));

    my $signature = $s->_openssl('dgst', "-$md", '-sign', $o{key}, $in);
    my $cert = $s->_openssl('x509', '-in', $o{cert}, '-outform', 'DER');
    my ($serial, undef, $issuer) =
        @{ (der_parse($cert))[0]{kids}[0]{kids} }[1 .. 3];

    substr($signature, -1) ^= "\1" if $o{spoil};

    my $signer = seq(integer('01'), seq($issuer->{raw}, $serial->{raw}),
                     $algorithm, tlv(0xa0, $attributes),
                     seq(oid('1.2.840.113549.1.1.1'), null()),
                     octets($signature));

    return seq(oid("$pkcs7.2"), tlv(0xa0,
               seq(integer('01'), tlv(0x31, $algorithm),
                   seq(oid("$pkcs7.1"), tlv(0xa0, octets($envelope))),
                   tlv(0xa0, $cert), tlv(0x31, $signer))));
}

sub _attribute { my ($oid, $v) = @_; return seq(oid($oid), tlv(0x31, $v)) }

# what a client looks at: attributes by the last number of their oid, with tag
# and octets; the certificate as a file, when there is one

sub reply {
    my ($s, $body, %o) = @_;

    my ($content) = (der_parse($body))[0]{kids}[1]{kids}[0];
    my @signers = @{ $content->{kids}[-1]{kids} };
    my %r = (signers => scalar @signers);

    for (grep { $_->{tag} == 0xa0 } @{ $signers[0]{kids} }) {
        for my $a (@{ $_->{kids} }) {
            my $value = $a->{kids}[1]{kids}[0];

            $r{$1} = [$value->{tag}, $value->{content}]
                if der_oid($a->{kids}[0]{content}) =~ /^\Q$vendor\E\.(\d+)$/;
        }
    }

    my $in = PKI::Test::spew($s->_file('reply'), $body);
    my $empty = $content->{kids}[2]{kids}[1] ? '' : '/dev/null';
    my $envelope = eval {
        $s->_openssl('cms', '-verify', '-binary', '-inform', 'DER', '-in', $in,
                     $empty ? ('-content', $empty) : (), '-CAfile', $s->{ca},
                     '-purpose', 'any');
    };

    $r{verified} = defined $envelope;
    $r{empty} = $empty ne '';

    return \%r if $empty || !defined $envelope;

    $in = PKI::Test::spew($s->_file('envelope'), $envelope);
    $in = PKI::Test::spew($s->_file('p7'),
                          $s->_openssl('cms', '-decrypt', '-binary', '-inform',
                                       'DER', '-in', $in, '-inkey', $o{key},
                                       '-recip', $o{cert}));

    my $text = PKI::Test::run_ok('openssl', 'pkcs7', '-inform', 'DER', '-in',
                                 $in, '-print_certs');
    my @certs = $text =~ /(-----BEGIN CERT.*?-----END CERTIFICATE-----\n)/sg;

    $r{certs} = scalar @certs;
    $r{cert} = PKI::Test::spew($s->_file('issued' . ++$s->{n} . '.pem'),
                               @certs);
    return \%r;
}


1;
