package PKI::OCSP;

# OCSP requests of every kind, and answers taken apart.

use strict;
use warnings;

use Digest::SHA qw(sha1 sha256 sha384 sha512);
use Exporter 'import';
use MIME::Base64 qw(encode_base64 decode_base64);

use PKI::DER;

our @EXPORT = qw(certid ocsp_request ocsp_read nonce_ext pem_der cert_ids
                 path_of);

my %digests = (
    sha1   => ['1.3.14.3.2.26', \&sha1],
    sha256 => ['2.16.840.1.101.3.4.2.1', \&sha256],
    sha384 => ['2.16.840.1.101.3.4.2.2', \&sha384],
    sha512 => ['2.16.840.1.101.3.4.2.3', \&sha512],
    md5    => ['1.2.840.113549.2.5', sub { substr sha1(@_), 0, 16 }],
);

my @statuses = qw(successful malformedRequest internalError tryLater 4
                  sigRequired unauthorized);


sub pem_der {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    my $pem = do { local $/; <$fh> };

    $pem =~ /-----BEGIN CERTIFICATE-----(.*?)-----END/s
        or die "$file: no certificate\n";

    return decode_base64($1);
}

# subject (DER), public key (content of the BIT STRING), serial (hex)

sub cert_ids {
    my ($file) = @_;

    my ($cert) = der_parse(pem_der($file));
    my @tbs = @{ $cert->{kids}[0]{kids} };

    shift @tbs if $tbs[0]{tag} == 0xa0;

    (my $serial = uc unpack 'H*', $tbs[0]{content}) =~ s/^00//;

    return ($tbs[4]{raw}, substr($tbs[5]{kids}[1]{content}, 1), $serial);
}

# a CertID: issuer's file, serial in hex; hash, params => 'null' | 'absent'

sub certid {
    my ($issuer, $serial, %o) = @_;

    my ($subject, $key) = cert_ids($issuer);
    my ($oid, $hash) = @{ $digests{ $o{hash} || 'sha1' } };

    my @params = ($o{params} || 'null') eq 'null' ? (null()) : ();

    return seq(seq(oid($oid), @params),
               octets($o{name_hash} // $hash->($subject)),
               octets($o{key_hash} // $hash->($key)),
               $o{raw_serial} // integer($serial));
}

sub nonce_ext {
    my ($nonce, %o) = @_;

    return seq(oid('1.3.6.1.5.5.7.48.1.2'),
               $o{critical} ? tlv(0x01, "\xff") : (),
               octets($o{raw} ? $nonce : octets($nonce)));
}

# a request of CertIDs; nonce, extensions => [], single => [] (of each),
# version, name (requestorName), signature

sub ocsp_request {
    my ($certids, %o) = @_;

    my @ext = @{ $o{extensions} || [] };
    push @ext, nonce_ext($o{nonce}) if defined $o{nonce};

    my @single = $o{single} ? explicit(0, seq(@{ $o{single} })) : ();

    return seq(seq(defined $o{version} ? explicit(0, integer($o{version}))
                                       : (),
                   $o{name} ? explicit(1, explicit(4, $o{name})) : (),
                   seq(map { seq($_, @single) } @$certids),
                   @ext ? explicit(2, seq(@ext)) : ()),
               $o{signature} ? explicit(0, $o{signature}) : ());
}

# base64 for a path, without line ends and not escaped

sub path_of { return encode_base64(shift, '') }


# { status } or { status => 'successful', responses => [...], ... }

sub ocsp_read {
    my ($der) = @_;

    my @top = der_parse($der);
    die "OCSP: not one element\n" unless @top == 1 && $top[0]{tag} == 0x30;

    my ($status, $bytes) = @{ $top[0]{kids} };
    my %r = (status => $statuses[ord $status->{content}], der => $der);

    return \%r unless $bytes;

    my ($type, $basic) = @{ $bytes->{kids}[0]{kids} };
    die "OCSP: not basic\n"
        unless der_oid($type->{content}) eq '1.3.6.1.5.5.7.48.1.1';

    my ($tbs, $alg, $sig, $certs) =
        @{ (der_parse($basic->{content}))[0]{kids} };
    my @data = @{ $tbs->{kids} };

    shift @data if $data[0]{tag} == 0xa0;

    $r{responder} = { 0xa1 => 'name', 0xa2 => 'key' }->{ $data[0]{tag} };
    $r{produced_at} = der_time($data[1]{content});
    $r{responses} = [ map { _single($_) } @{ $data[2]{kids} } ];
    $r{extensions} = _extensions($data[3]);
    $r{algorithm} = der_oid($alg->{kids}[0]{content});
    $r{certs} = [ map { $_->{raw} } $certs ? @{ $certs->{kids}[0]{kids} }
                                           : () ];

    if (my $nonce = $r{extensions}{'1.3.6.1.5.5.7.48.1.2'}) {
        $r{nonce} = (der_parse($nonce->{value}))[0]{content};
        $r{nonce_critical} = $nonce->{critical};
    }

    $r{$_} = $r{responses}[0]{$_} for qw(cert this next reason revoked_at);

    return \%r;
}

sub _single {
    my ($single) = @_;

    my ($certid, $status, $this, @rest) = @{ $single->{kids} };
    my %s = (certid => $certid->{raw}, this => der_time($this->{content}));

    $s{serial} = uc unpack 'H*', $certid->{kids}[3]{content};
    $s{serial} =~ s/^00(?=..)//;
    $s{cert} = { 0x80 => 'good', 0xa1 => 'revoked', 0x82 => 'unknown' }
               ->{ $status->{tag} } or die "OCSP: status\n";

    if ($s{cert} eq 'revoked') {
        my ($at, $reason) = @{ $status->{kids} };

        $s{revoked_at} = der_time($at->{content});
        $s{reason} = $reason ? ord $reason->{kids}[0]{content} : 0;
    }

    for my $e (@rest) {
        $s{next} = der_time($e->{kids}[0]{content}) if $e->{tag} == 0xa0;
        $s{extensions} = _extensions($e) if $e->{tag} == 0xa1;
    }

    return \%s;
}

sub _extensions {
    my ($e) = @_;

    my %ext;

    for my $x ($e ? @{ $e->{kids}[0]{kids} } : ()) {
        my @parts = @{ $x->{kids} };

        $ext{ der_oid($parts[0]{content}) } = {
            critical => @parts == 3 ? 1 : 0,
            value    => $parts[-1]{content},
        };
    }

    return \%ext;
}


1;
