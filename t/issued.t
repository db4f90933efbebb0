# Intune's own list of issued certificates, as it is looked at by people: the
# last whole listing, those revoked there, in pages.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, intune => {
    text => 'endpoint_list on; backoff 300ms;',
});
my $g = $d->{sim}{graph};
my $n = $d->{nginx};

sub list {
    my ($query, $directory) = @_;

    my $r = $n->http('GET', '/api/directory/' . ($directory // 'intune')
                     . '/certificates' . ($query // ''),
                     headers => { Authorization => "Bearer $d->{token}" });

    $r->{json} = JSON::PP::decode_json($r->{body});

    return $r;
}

# all pages

sub all {
    my ($query) = @_;

    my ($token, %seen, $pages);

    do {
        my $r = list($query . ($token ? "&continuationToken=$token" : ''));

        return unless $r->{status} == 200;
        $seen{ $_->{serialNumber} } = $_ for @{ $r->{json}{items} };
        $token = $r->{json}{continuationToken};
    } while ($token && ++$pages < 500);

    return \%seen;
}

ok($n->ready, 'ready');

my $r = list();
is($r->{status}, 200, 'before any listing') or diag($r->{body});
is_deeply($r->{json}, { items => [], continuationToken => undef }, 'empty');

$g->add('certificate', certificateSerialNumber => '00 1a:2b',
        certificateRevokeStatus => 'none',
        certificateRevokeStatusLastChangeDateTime => '0001-01-01T00:00:00Z',
        certificateIssuanceDateTime => '2026-01-02T03:04:05.678Z',
        certificateExpirationDateTime => '2027-01-02T03:04:05Z',
        certificateThumbprint => 'AB' x 20,
        certificateSubjectName => "CN=t\x{e4}b\tle\n",
        certificateIssuerName => 'CN=somebody else',
        managedDeviceDisplayName => 'laptop', userPrincipalName => 'a@b.c');
$g->add('certificate', certificateSerialNumber => '1A2C',
        certificateRevokeStatus => 'revoked',
        certificateSubjectName => 's' x 2000,
        certificateIssuerName => 'CN=somebody else');

ok($d->round('intune', 'endpoint-list'), 'a listing');

$r = list();
my %item = map { $_->{serialNumber} => $_ } @{ $r->{json}{items} };

is_deeply([sort keys %item], ['1A2B', '1A2C'], 'both');
is_deeply($item{'1A2B'}, {
    serialNumber => '1A2B', status => 'none', statusDate => undef,
    issuanceDate => '2026-01-02T03:04:05Z',
    expirationDate => '2027-01-02T03:04:05Z', thumbprint => 'AB' x 20,
    subject => "CN=t\x{e4}b?le?", device => 'laptop', user => 'a@b.c',
    issuer => 'CN=somebody else',
}, 'all that was told');
is($item{'1A2C'}{subject}, 's' x 512, 'a long name is cut');
is($item{'1A2C'}{user}, undef, 'what was not told is null');

$r = list('?status=REVOKED');
is_deeply([map { $_->{serialNumber} } @{ $r->{json}{items} }], ['1A2C'],
          'those revoked there');

# many, in pages; a line that is gone there is gone here

$g->delete('certificate', $_->{id}) for @{ $g->get('certificate') };
$g->add_all(map { { kind => 'certificate',
                    certificateRevokeStatus => $_ % 100 ? 'none' : 'issued',
                    certificateSerialNumber => sprintf '5%07X', $_ } }
            1 .. 1500);
ok($d->round('intune', 'endpoint-list'), 'another listing');

my $all = all('?pageSize=100');
is(scalar keys %$all, 1500, 'all, in pages');
is($all->{'50000007'}{status}, 'none', 'as told');
is(scalar keys %{ all('?pageSize=3&status=issued') }, 15, 'the rare ones');
my $kept = () = $t->redis_cli('KEYS', 'pki:{intune}:issued:*') =~ /issued/g;
cmp_ok($kept, '<=', 2, 'kept: what is shown, and what is being written');

# what is refused

for (['?pageSize=0', 400, qr/pageSize/], ['?pageSize=501', 400, qr/pageSize/],
     ['?pageSize=x', 400, qr/pageSize/],
     ['?continuationToken=', 400, qr/continuationToken/],
     ['?continuationToken=1x', 400, qr/continuationToken/],
     ['?continuationToken=' . '9' x 30, 400, qr/continuationToken/])
{
    my ($query, $status, $message) = @$_;

    $r = list($query);
    is($r->{status}, $status, $query);
    like($r->{json}{errorMessage}, $message, 'which says why');
}

is(list('', 'nobody')->{status}, 404, 'no such directory');

$t->done;
