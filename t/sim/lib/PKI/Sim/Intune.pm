package PKI::Sim::Intune;

# Intune: managed devices with the habits that section 5 of the contract
# warns of, the list of issued certificates, and the two services that a
# third-party CA talks to.

use strict;
use warnings;

use PKI::Sim::JSON;
use PKI::Sim::Login qw(guid);

my $page_max = 1000;
my $never = '0001-01-01T00:00:00Z';
my %api = (ScepActions => '2018-02-20',
           CertificateAuthorityRequests => '5019-05-05');


sub intune_defaults {
    return (
        managed_page => $page_max,
        managed_filter => 'honour',         # or: ignore, first
        managed_truncate => 0,              # items; then no more, no link
        management_state => json_true,      # in v1.0
        overview_count => undef,            # another number than there are
        endpoints => [
            { providerName => 'ScepRequestValidationFEService',
              uri => '{base}/RACerts/StatelessScepRequestValidationService' },
            { providerName => 'PkiConnectorFEService',
              uri => '{base}/RACerts/StatelessPkiConnectorService' },
        ],
        scep_code => 'Success',
        upload_value => json_true,
    );
}

sub intune_kinds {
    return (
        managedDevice => {
            fresh => \&_fresh, bulk => \&_bulk,
            find_bulk => \&PKI::Sim::Entra::bulk_number,
        },
        certificate => {
            fresh => sub {
                my ($f, $n) = @_;
                %$f = (id => guid(), certificateRevokeStatus => 'none',
                       certificateRevokeStatusLastChangeDateTime => $never,
                       managedDeviceDisplayName => "device-$n", %$f);
            },
        },
        revocation => {
            key => 'requestContext',
            fresh => sub {
                my ($f) = @_;
                %$f = (requestContext => guid(), issuerName => undef,
                       caConfiguration => undef, %$f);
            },
        },
        # what the CA told: results of revocations, notifications
        caCall => { fresh => sub { $_[0]{id} //= guid() } },
    );
}

sub _fresh {
    my ($f, $n) = @_;

    %$f = (id => guid(), azureADDeviceId => guid(),
           azureADRegistered => json_true, userId => '',
           userPrincipalName => '', deviceName => "device-$n",
           complianceState => 'compliant', managementState => 'managed',
           complianceGracePeriodExpirationDateTime =>
               '9999-12-31T23:59:59.9999999Z',
           deviceRegistrationState => 'registered',
           enrolledDateTime => '2026-01-10T09:30:00Z',
           lastSyncDateTime => '2026-08-20T10:00:00.1234567Z',
           managementAgent => 'mdm', serialNumber => "SN$n",
           jailBroken => 'Unknown', partnerReportedThreatState => 'unknown',
           managedDeviceOwnerType => 'company', deviceActionResults => [],
           %$f);
}

sub _bulk {
    my ($seed, $n) = @_;

    my $f = { id => PKI::Sim::Entra::bulk_guid($seed, 'managed', $n),
              azureADDeviceId =>
                  PKI::Sim::Entra::bulk_guid($seed, 'deviceId', $n) };

    _fresh($f, $n);

    return $f;
}


# deviceManagement/

sub intune {
    my ($self, $req, $version, $path) = @_;

    return $self->_managed($req, $version, $1)
        if $path =~ m{^managedDevices((?:[/(].*)?)$};
    return $self->_overview($req, $version)
        if $path eq 'managedDeviceOverview';
    return $self->list($req, kind => 'certificate', version => $version,
                       path => "deviceManagement/$path", max => $page_max,
                       default => $page_max)
        if $version eq 'beta' && $path eq
           'deviceConfigurationsAllManagedDeviceCertificateStates';

    return;
}

sub _managed {
    my ($self, $req, $version, $rest) = @_;

    my $objects = $self->objects('managedDevice');

    if ($rest =~ m{^(?:/([^/]+)|\('([^']+)'\))$}) {
        my $id = $1 // $2;
        my $r = $self->one($req, 'managedDevice',
                           scalar $objects->get($id, $self->view_time),
                           $version, $id);

        return $self->_stateless($r, $version);
    }

    return if $rest ne '';

    my $how = $self->option('managed_filter');

    # an "or" may give the first, and what is not understood everything

    if (defined(my $filter = PKI::Sim::App::arg($req, '$filter'))) {
        $filter =~ s/\s+or\s.*//s if $how eq 'first';
        $req->{args}{'$filter'} = [$filter];
        delete $req->{args}{'$filter'} if $how eq 'ignore';
    }

    my $r = $self->list($req, kind => 'managedDevice', version => $version,
                        path => 'deviceManagement/managedDevices',
                        max => $page_max,
                        default => $self->option('managed_page'));

    return $self->_stateless($self->_counted($req, $r), $version);
}

# old tenants have no managementState in v1.0

sub _stateless {
    my ($self, $r, $version) = @_;

    $r->{body} =~ s/"managementState":"\w*",|,"managementState":"\w*"//g
        if $version eq 'v1.0' && !$self->option('management_state');

    return $r;
}

# @odata.count, and a listing that ends too early without saying so

sub _counted {
    my ($self, $req, $r) = @_;

    return $r if $r->{status} != 200;

    my $count = $self->objects('managedDevice')->{count};
    my $most = $self->option('managed_truncate');

    if ($most) {
        my $v = from_json($r->{body});
        my $link = $self->link_of($req);
        my $left = $most - ($link ? $link->{given} || 0 : 0);
        my $n = @{ $v->{value} };

        if ($n >= $left) {
            splice @{ $v->{value} }, $left > 0 ? $left : 0;
            delete $v->{'@odata.nextLink'};

        } elsif (my $next = $v->{'@odata.nextLink'}) {
            $self->{state}{links}{ substr $next, length $req->{base} }{given}
                = $most - $left + $n;
        }

        $r->{body} = to_json($v);
        $count = $most if $most < $count;
    }

    $r->{body} =~ s/^(\{"\@odata\.context":"[^"]*")/$1,"\@odata.count":$count/
        unless $r->{body} =~ /^.{0,4000}"\@odata\.count"/s;

    return $r;
}

sub _overview {
    my ($self, $req, $version) = @_;

    my $n = $self->option('overview_count')
            // $self->objects('managedDevice')->{count};

    return $self->graph_answer(200, {
        '@odata.context' => "$req->{base}/$version/\$metadata#deviceManagement"
                            . '/managedDeviceOverview/$entity',
        id => guid(), enrolledDeviceCount => $n + 0,
        mdmEnrolledCount => $n + 0, dualEnrolledDeviceCount => 0,
    });
}

# an error whose message is JSON once more

sub intune_failure {
    my ($self, $status) = @_;

    return $self->graph_error($status, 'InternalServerError', to_json({
        _version => 3, Message => 'An internal server error has occurred - '
        . 'Operation ID (for customer support): ' . guid(),
        CustomApiErrorPhrase => '', RetryAfter => undef, ErrorSourceService
            => '', HttpHeaders => '{}' }));
}


# third-party CA

sub endpoints {
    my ($self, $req) = @_;

    my @list = map {
        my %e = (id => guid(), capability => 'any', providerId => guid(),
                 providerResourceId => '', %$_);

        $e{uri} =~ s/\{base\}/$req->{base}/;
        \%e;
    } @{ $self->option('endpoints') };

    return $self->graph_answer(200, { value => \@list });
}

sub ca_call {
    my ($self, $req, $what) = @_;

    my $error = $self->token_error($req, 'intune');

    return $self->answer(401, { error => { code => 'Unauthorized',
                                           message => $error } })
        if defined $error;

    my ($service, $call) = split m{/}, $what;
    my $code = $self->can("_ca_$call");

    return $self->answer(404, { error => { code => 'NotFound',
                                           message => $what } })
        if $req->{method} ne 'POST' || !$code || !$api{$service};
    return $self->answer(400, { error => { code => 'BadRequest',
                                           message => 'api-version' } })
        if ($req->{headers}{'api-version'} // '') ne $api{$service};

    my $in = eval { from_json($req->{body}) };

    return $self->answer(400, { error => { code => 'BadRequest',
                                           message => 'not JSON' } })
        if ref $in ne 'HASH';

    return $self->$code($req, _lower($in));
}

# names are taken in any case

sub _lower {
    my ($v) = @_;

    return [map { _lower($_) } @$v] if ref $v eq 'ARRAY';
    return $v if ref $v ne 'HASH';
    return { map { lc() => _lower($v->{$_}) } keys %$v };
}

sub _ca_downloadRevocationRequests {
    my ($self, $req, $in) = @_;

    my $p = $in->{downloadparameters};
    my $n = ref $p eq 'HASH' ? $p->{maxrequests} : undef;

    return $self->answer(400, { error => { code => 'ParameterDataInvalid' } })
        if !defined $n || $n !~ /^\d+$/ || $n < 1 || $n > 500;

    my @list = grep { !defined $p->{issuername} || !defined $_->{issuerName}
                      || $p->{issuername} eq $_->{issuerName} }
               $self->objects('revocation')->all;

    splice @list, $n if @list > $n;

    return $self->answer(200, {
        '@odata.context' => 'https://manage.microsoft.com/RACerts/Stateless'
            . 'PkiConnectorService/$metadata#Collection(microsoft.management'
            . '.services.api.caRevocationRequest)',
        value => \@list });
}

# what is not answered is handed out again

sub _ca_uploadRevocationResults {
    my ($self, $req, $in) = @_;

    my $results = $in->{results};

    return $self->answer(400, { error => { code => 'ParameterDataInvalid' } })
        if ref $results ne 'ARRAY';

    for (@$results) {
        $self->add('caCall', { call => 'uploadRevocationResults', %$_ });
        $self->remove('revocation', $_->{requestcontext} // '', 1)
            if $self->option('upload_value');
    }

    return $self->answer(200, { value => $self->option('upload_value') });
}

sub _ca_validateRequest { return shift->_scep('validateRequest', @_) }
sub _ca_successNotification { return shift->_scep('successNotification', @_) }
sub _ca_failureNotification { return shift->_scep('failureNotification', @_) }

sub _scep {
    my ($self, $call, $req, $in) = @_;

    my $code = $self->option('scep_code');

    $self->add('caCall', { call => $call, %$in });

    return $self->answer(200, { code => $code, errorDescription =>
        $code eq 'Success' ? '' : 'as the simulator was told' });
}


1;
