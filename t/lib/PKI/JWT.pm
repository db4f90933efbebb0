package PKI::JWT;

# Keys, key sets and tokens of an identity provider.

use strict;
use warnings;

use Crypt::PK::ECC ();
use Crypt::PK::RSA ();
use Digest::SHA qw(hmac_sha256);
use Exporter 'import';
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

our @EXPORT = qw(jwk_set);

my $json = JSON::PP->new->canonical;


# kind: rsa, p256 or p384; kid; more members of its JWK

sub new {
    my ($class, $kind, $kid, %more) = @_;

    my $key = $kind eq 'rsa' ? Crypt::PK::RSA->new : Crypt::PK::ECC->new;

    $kind eq 'rsa' ? $key->generate_key(256, 65537)
                   : $key->generate_key($kind eq 'p256' ? 'secp256r1'
                                                        : 'secp384r1');

    return bless { kind => $kind, kid => $kid, key => $key, more => \%more },
                 $class;
}

sub jwk {
    my ($self) = @_;

    my $jwk = $self->{key}->export_key_jwk('public', 1);
    delete @$jwk{qw(kid)};

    return { %$jwk, use => 'sig', kid => $self->{kid}, %{ $self->{more} } };
}

sub jwk_set { return $json->encode({ keys => [ map { $_->jwk } @_ ] }) }

# A token of these claims.  Options: alg; header => members; secret => octets,
# for an HMAC with them

sub token {
    my ($self, $claims, %o) = @_;

    my $alg = $o{alg} || { rsa => 'RS256', p256 => 'ES256',
                           p384 => 'ES384' }->{ $self->{kind} };
    my %header = (typ => 'JWT', alg => $alg, kid => $self->{kid},
                  %{ $o{header} || {} });
    my $text = join '.', map { encode_base64url($json->encode($_)) }
                         \%header, $claims;
    my ($hash) = $alg =~ /(\d+)$/;
    my $key = $self->{key};

    my $sig = defined $o{secret} ? hmac_sha256($text, $o{secret})
            : $alg eq 'none'     ? ''
            : $alg =~ /^ES/ ? $key->sign_message_rfc7518($text, "SHA$hash")
            : $alg =~ /^PS/ ? $key->sign_message($text, "SHA$hash", 'pss', 32)
            :                 $key->sign_message($text, "SHA$hash", 'v1.5');

    return "$text." . encode_base64url($sig);
}

sub public_pem { return $_[0]{key}->export_key_pem('public') }


1;
