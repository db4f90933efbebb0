package PKI::Sim::Login;

# The Entra v2.0 token endpoint for client credentials: a secret, or an
# assertion whose signature, certificate, audience, times and jti are looked
# at; and whether a token is good for a resource later on.

use strict;
use warnings;

use Crypt::PK::RSA;
use Digest::SHA qw(sha1 sha256);
use Exporter 'import';
use MIME::Base64 qw(decode_base64 decode_base64url encode_base64url);
use POSIX qw(strftime);

use PKI::Sim::JSON;

our @EXPORT_OK = qw(guid random_text);

my $bearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
my $skew = 300;             # seconds that a clock may be wrong

# AADSTS number: status, error, text
my %error = (
    7000215 => [401, 'invalid_client', 'Invalid client secret provided.'],
    7000222 => [401, 'invalid_client', 'The provided client secret keys '
                                       . 'are expired.'],
    7000218 => [401, 'invalid_client', 'The request body must contain: '
                                       . "'client_assertion' or "
                                       . "'client_secret'."],
    7000112 => [400, 'unauthorized_client', 'Application is disabled.'],
    700016  => [400, 'unauthorized_client', 'Application was not found.'],
    90002   => [400, 'invalid_request', 'Tenant not found.'],
    70011   => [400, 'invalid_scope', 'The provided scope is not valid.'],
    700022  => [400, 'invalid_request', 'Several resources in a scope.'],
    70003   => [400, 'unsupported_grant_type', 'Grant is not supported.'],
    500011  => [400, 'invalid_resource', 'The resource principal was not '
                                         . 'found in the tenant.'],
    50012   => [401, 'invalid_client', 'Client assertion is not valid.'],
    50013   => [401, 'invalid_grant', 'Assertion failed signature '
                                      . 'validation.'],
    700027  => [401, 'invalid_client', 'Client assertion failed signature '
                                       . 'validation.'],
    700024  => [401, 'invalid_client', 'Client assertion is not within its '
                                       . 'valid time range.'],
    900144  => [400, 'invalid_request', 'The request body must contain all '
                                        . 'parameters.'],
    90033   => [503, 'temporarily_unavailable', 'A transient error has '
                                                . 'occurred.'],
    90055   => [429, 'temporarily_unavailable', 'Tenant is throttled.'],
);


sub login_defaults {
    return (
        tenant => '0a1b2c3d-1111-4222-8333-444455556666',
        client_id => '11111111-2222-4333-8444-555555555555',
        client_secret => 'S3cr~t.with+/=and%',
        client_certificates => [],
        assertion_audience => undef,
        assertion_rs256 => json_true,
        token_lifetime => 3599,
        token_reply => {},
        token_without => [],
        absent_resources => [],
    );
}

sub random_text {
    my ($n) = @_;

    open my $fh, '<:raw', '/dev/urandom' or die "no random: $!\n";
    read $fh, my $octets, $n or die "no random: $!\n";

    return substr encode_base64url($octets), 0, $n;
}

sub guid {
    my @w = unpack 'NnnnNn', sha256(random_text(24));

    return sprintf '%08x-%04x-4%03x-8%03x-%08x%04x', @w[0, 1],
                   $w[2] & 0xfff, $w[3] & 0xfff, @w[4, 5];
}

sub login {
    my ($self, $req, $tenant) = @_;

    my %f = map { my ($k, $v) = map { PKI::Sim::App::unescape(tr/+/ /r) }
                                split /=/, $_, 2;
                  ($k // '', $v // '') } split /&/, $req->{body};

    $self->{token_requests}++;

    if (($req->{headers}{authorization} // '') =~ /^Basic (\S+)$/) {
        @f{qw(client_id client_secret)} =
            map { PKI::Sim::App::unescape($_) }
            split /:/, decode_base64($1), 2;
    }

    my ($resource, $code) = $self->_scope(\%f, $tenant);

    $code ||= $self->_client(\%f, $req);

    if ($code) {
        $self->{token_errors}++;
        return $self->login_error($code);
    }

    my $lifetime = $self->option('token_lifetime');
    my $token = $self->new_token($resource, $lifetime);
    my %reply = (token_type => 'Bearer', expires_in => $lifetime,
                 ext_expires_in => $lifetime, access_token => $token,
                 %{ $self->option('token_reply') });

    delete @reply{ @{ $self->option('token_without') } };

    return $self->answer(200, \%reply, 'Cache-Control' => 'no-store');
}

# (resource, AADSTS code or none)

sub _scope {
    my ($self, $f, $tenant) = @_;

    return (undef, 900144) if grep { !length($f->{$_} // '') }
                              qw(grant_type client_id scope);
    return (undef, 70003) if $f->{grant_type} ne 'client_credentials';
    return (undef, 90002) if lc $tenant ne lc $self->option('tenant');
    return (undef, 700016)
        if lc $f->{client_id} ne lc $self->option('client_id');
    return (undef, 700022) if $f->{scope} =~ /\S\s+\S/;
    return (undef, 70011) if $f->{scope} !~ m{^https?://[^/]+//?\.default$};

    my $resource = $f->{scope} =~ m{//api\.manage\.} ? 'intune' : 'graph';

    return (undef, 500011)
        if grep { $_ eq $resource } @{ $self->option('absent_resources') };

    return ($resource, undef);
}

sub _client {
    my ($self, $f, $req) = @_;

    if (defined $f->{client_assertion}) {
        return 50012 if ($f->{client_assertion_type} // '') ne $bearer;
        return $self->_assertion($f->{client_assertion}, $req);
    }

    return 7000218 unless length($f->{client_secret} // '');
    return $f->{client_secret} eq $self->option('client_secret') ? undef
                                                                 : 7000215;
}

sub _assertion {
    my ($self, $jwt, $req) = @_;

    my @part = split /\./, $jwt;
    my ($head, $claims) = map { eval { from_json(decode_base64url($_)) } }
                          @part[0, 1];

    return 50012 if @part != 3 || grep { ref ne 'HASH' } $head, $claims;

    my $alg = $head->{alg} // '';
    my @how = $alg eq 'PS256' ? ('pss', 32)
              : $alg eq 'RS256' && $self->option('assertion_rs256') ? 'v1.5'
              : return 700027;

    my $key = $self->_key($head) // return 700027;

    return 700027 unless $key->verify_message(
        decode_base64url($part[2]), "$part[0].$part[1]", 'SHA256', @how);

    my $now = $self->now;
    my $audience = $self->option('assertion_audience')
                   // $req->{base} . $req->{path};

    return 700024 if !$claims->{exp} || $claims->{exp} < $now - $skew
                     || ($claims->{nbf} // 0) > $now + $skew;
    return 50012 if ($claims->{aud} // '') ne $audience
                    || grep { ($claims->{$_} // '')
                              ne $self->option('client_id') } qw(iss sub);
    return 50012 if !length($claims->{jti} // '')
                    || $self->{state}{jti}{ $claims->{jti} }++;

    return;
}

# the certificate that a header names, by SHA-256, or by SHA-1 as of old

sub _key {
    my ($self, $head) = @_;

    for (@{ $self->option('client_certificates') }) {
        my ($base64) = /-----BEGIN CERTIFICATE-----(.*?)-----END/s or next;
        my $der = decode_base64($base64);
        my $is = defined $head->{'x5t#S256'}
                 ? $head->{'x5t#S256'} eq encode_base64url(sha256($der))
                 : ($head->{x5t} // '') eq encode_base64url(sha1($der));

        return Crypt::PK::RSA->new(\"$_") if $is;
    }

    return;
}

sub login_error {
    my ($self, $code) = @_;

    my ($status, $error, $text) =
        @{ $error{$code} || [400, 'invalid_request', 'Something else.'] };
    my $time = strftime('%Y-%m-%d %H:%M:%SZ', gmtime $self->now);
    my ($trace, $correlation) = (guid(), guid());

    return $self->answer($status, {
        error => $error,
        error_description => "AADSTS$code: $text\r\nTrace ID: $trace\r\n"
            . "Correlation ID: $correlation\r\nTimestamp: $time",
        error_codes => [$code + 0], timestamp => $time, trace_id => $trace,
        correlation_id => $correlation,
        error_uri => "https://login.microsoftonline.com/error?code=$code",
    });
}


# tokens

sub new_token {
    my ($self, $resource, $lifetime) = @_;

    my $token = join '.', 'eyJ0eXAiOiJKV1Qi' . random_text(60),
                          random_text(1400), random_text(342);

    $self->{state}{tokens}{$token} = { resource => $resource,
                                       expires => $self->now + $lifetime };
    return $token;
}

# nothing if the request may pass, or what is wrong

sub token_error {
    my ($self, $req, $resource) = @_;

    my ($token) = ($req->{headers}{authorization} // '')
                  =~ /^Bearer\s+(\S+)$/
        or return 'Access token is empty.';
    my $t = $self->{state}{tokens}{$token}
        or return 'CompactToken parsing failed with error code: 80049217';

    return 'Invalid audience.' if $t->{resource} ne $resource;
    return 'Lifetime validation failed, the token is expired.'
        if $t->{expires} <= $self->now;

    return;
}

sub expire_token {
    my ($self, $req) = @_;

    my ($token) = ($req->{headers}{authorization} // '')
                  =~ /^Bearer\s+(\S+)$/ or return;

    $self->{state}{tokens}{$token}{expires} = 0
        if $self->{state}{tokens}{$token};
}


1;
