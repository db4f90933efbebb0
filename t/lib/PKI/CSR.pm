package PKI::CSR;

# Certification requests, written octet by octet, so that a story asks for
# exactly what a client was seen to ask for, or for what none should.  The
# signature is openssl's.
#
#     my $csr = PKI::CSR->new($t, subject => [[CN => 'x']],
#                             san => [[dns => 'a.example'], [upn => 'u@x']],
#                             eku => ['1.3.6.1.5.5.7.3.2']);
#     $n->api('POST', 'csr', token => $token, body => $csr->der);

use strict;
use warnings;

use Encode qw(encode);
use MIME::Base64 qw(encode_base64);

use PKI::DER;
use PKI::Test ();

my %attribute = (
    C => '2.5.4.6', CN => '2.5.4.3', E => '1.2.840.113549.1.9.1',
    O => '2.5.4.10', OU => '2.5.4.11',
);

my %keys = (
    rsa     => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:2048)],
    rsa4096 => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:4096)],
    rsa1024 => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:1024)],
    p256    => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)],
    p384    => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-384)],
    p521    => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-521)],
    ed25519 => [qw(-algorithm ED25519)],
);

my %algorithm = (
    rsa     => seq(oid('1.2.840.113549.1.1.11'), null()),
    p       => seq(oid('1.2.840.10045.4.3.2')),
    ed25519 => seq(oid('1.3.101.112')),
);


# key => type, or a file; subject => [[type, text] ...]; san => [[type, text]
# ...]; eku => [oids], eku_critical; ku => octet; lifetime => [word, number];
# sid => text; attributes => octets of more of them; spoil => 1: a wrong
# signature

sub new {
    my ($class, $t, %o) = @_;

    my $type = $o{key} || 'p256';
    my $file = -e $type ? $type : _key($t, $type);
    my $info = seq(integer('00'), _name(@{ $o{subject} || [] }),
                   _spki($file), tlv(0xa0, _attributes(%o)));
    my $algorithm = $type =~ /rsa/ ? 'rsa'
                    : $type =~ /ed25519/ ? 'ed25519' : 'p';
    my $signature = _sign($t, $file, $info, $algorithm);

    substr($signature, -1) ^= "\1" if $o{spoil};

    return bless {
        key => $file,
        der => seq($info, $algorithm{$algorithm}, tlv(0x03, "\0$signature")),
    }, $class;
}

# its spellings

sub der    { return $_[0]{der} }
sub base64 { return encode_base64($_[0]{der}, '') }
sub lines  { return $_[0]->base64 =~ s/(.{1,64})/$1\n/gr }

sub pem {
    my ($csr, $label) = @_;

    $label //= 'CERTIFICATE REQUEST';

    return "-----BEGIN $label-----\n" . $csr->lines . "-----END $label-----\n";
}

# as "curl --data @file" sends it

sub bare { return $_[0]->pem =~ s/\n//gr }


sub key { return $_[0]{key} }

sub _key {
    my ($t, $type) = @_;

    my $file = "$t->{dir}/csr-$type.key";

    PKI::Test::run_ok('openssl', 'genpkey', @{ $keys{$type} }, '-out', $file)
        unless -e $file;

    return $file;
}

my %spki;

sub _spki {
    my ($file) = @_;

    $spki{$file} ||= do {
        my $out = "$file.pub";

        PKI::Test::run_ok('openssl', 'pkey', '-in', $file, '-pubout',
                          '-outform', 'DER', '-out', $out);
        PKI::Test::slurp($out);
    };

    return $spki{$file};
}

sub _sign {
    my ($t, $file, $octets, $algorithm) = @_;

    my $in = PKI::Test::spew("$t->{dir}/csr.tbs", $octets);
    my $out = "$t->{dir}/csr.sig";

    PKI::Test::run_ok('openssl', $algorithm eq 'ed25519'
                      ? ('pkeyutl', '-sign', '-rawin', '-inkey', $file, '-in',
                         $in, '-out', $out)
                      : ('dgst', '-sha256', '-sign', $file, '-out', $out,
                         $in));

    return PKI::Test::slurp($out);
}

sub _name {
    return seq(map { tlv(0x31, seq(oid($attribute{ $_->[0] }),
                                   tlv($_->[0] eq 'E' ? 0x16
                                       : $_->[0] eq 'C' ? 0x13 : 0x0c,
                                       encode('UTF-8', $_->[1])))) } @_);
}

sub _general_name {
    my ($type, $text) = @_;

    return tlv(0x81, $text) if $type eq 'email';
    return tlv(0x82, $text) if $type eq 'dns';
    return tlv(0x86, $text) if $type eq 'uri';
    return tlv(0x87, pack('C*', split /\./, $text)) if $type eq 'ip';
    return tlv(0xa0, oid('1.3.6.1.4.1.311.20.2.3'),
               tlv(0xa0, tlv(0x0c, encode('UTF-8', $text))))
        if $type eq 'upn';

    die "no such type of name: $type\n";
}

sub _extension {
    my ($oid, $critical, $value) = @_;
    return seq(oid($oid), $critical ? tlv(0x01, "\xff") : '', octets($value));
}

sub _attributes {
    my (%o) = @_;

    my @ext;

    push @ext, _extension('2.5.29.17', 0,
                          seq(map { _general_name(@$_) } @{ $o{san} }))
        if $o{san};
    push @ext, _extension('2.5.29.37', $o{eku_critical},
                          seq(map { oid($_) } @{ $o{eku} }))
        if $o{eku};
    push @ext, _extension('2.5.29.15', 1, tlv(0x03, "\0" . chr $o{ku}))
        if defined $o{ku};
    push @ext, _extension('1.3.6.1.4.1.311.25.2', 0,
                          seq(tlv(0xa0, oid('1.3.6.1.4.1.311.25.2.1'),
                                  tlv(0xa0, octets($o{sid})))))
        if defined $o{sid};
    push @ext, map { _extension(@$_) } @{ $o{extensions} || [] };

    my @attributes;

    push @attributes, seq(oid('1.2.840.113549.1.9.14'), tlv(0x31, seq(@ext)))
        if @ext;

    if ($o{lifetime}) {
        my ($word, $number) = @{ $o{lifetime} };

        push @attributes, map {
            seq(oid('1.3.6.1.4.1.311.13.2.1'),
                tlv(0x31, seq(map { tlv(0x1e, encode('UTF-16BE', $_)) } @$_)))
        } [ValidityPeriod => $word], [ValidityPeriodUnits => $number];
    }

    return join('', @attributes) . ($o{attributes} // '');
}


1;
