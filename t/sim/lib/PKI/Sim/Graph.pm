package PKI::Sim::Graph;

# Microsoft: the token endpoint, Graph v1.0 and beta as far as the contract
# (directories.md, sections 1 to 8) goes, and the calls of a third-party CA.
# This file has the way to them, the errors and $batch.

use strict;
use warnings;

use parent qw(PKI::Sim::Login PKI::Sim::Entra PKI::Sim::Delta
              PKI::Sim::Intune PKI::Sim::Notify PKI::Sim::App);

use List::Util qw(shuffle);
use POSIX qw(strftime);

use PKI::Sim::JSON;
use PKI::Sim::Login qw(guid);

my $batch_max = 20;
my $type = 'application/json;odata.metadata=minimal;odata.streaming=true;'
           . 'IEEE754Compatible=false;charset=utf-8';
my %code = (400 => 'Request_BadRequest', 401 => 'InvalidAuthenticationToken',
            403 => 'Authorization_RequestDenied',
            404 => 'Request_ResourceNotFound', 429 => 'TooManyRequests',
            500 => 'InternalServerError', 501 => 'NotImplemented',
            502 => 'BadGateway', 503 => 'ServiceUnavailable',
            504 => 'GatewayTimeout');


sub defaults {
    my ($self) = @_;

    return ($self->login_defaults, $self->entra_defaults,
            $self->delta_defaults, $self->intune_defaults,
            $self->notify_defaults,
            denied => [],           # path expressions that answer 403
            throttle_percentage => undef,
            batch_shuffle => json_true);
}

sub kinds {
    my ($self) = @_;
    return ($self->entra_kinds, $self->intune_kinds, $self->notify_kinds);
}

sub stats {
    my ($self) = @_;

    return (token_requests => $self->{token_requests} || 0,
            token_errors => $self->{token_errors} || 0,
            links => scalar keys %{ $self->{state}{links} || {} });
}

sub changed {
    my ($self, $kind, $how, $fields) = @_;

    $self->notify_user($how, $fields->{id}) if $kind eq 'user';
}


# answers

sub graph_answer {
    my ($self, $status, $v, @headers) = @_;

    my $percentage = $self->option('throttle_percentage');
    my $r = $self->answer($status, $v);

    $r->{headers} = [
        'Content-Type' => $type, 'OData-Version' => '4.0',
        'request-id' => guid(), 'client-request-id' => guid(),
        'x-ms-ags-diagnostic' => '{"ServerInfo":{"DataCenter":"Simulator",'
                                 . '"Slice":"E","Ring":"1"}}',
        'x-ms-resource-unit' => 1,
        defined $percentage
            ? ('x-ms-throttle-limit-percentage' => $percentage) : (),
        'Cache-Control' => 'no-cache', @headers,
    ];

    return $r;
}

sub graph_error {
    my ($self, $status, $code, $message, $inner, @headers) = @_;

    return $self->graph_answer($status, { error => {
        code => $code, message => $message,
        innerError => {
            date => strftime('%Y-%m-%dT%H:%M:%S', gmtime $self->now),
            'request-id' => guid(), 'client-request-id' => guid(),
            %{ $inner || {} },
        },
    } }, @headers);
}

# what a fault with no more than a status stands for

sub error_answer {
    my ($self, $do, $req) = @_;

    my $status = $do->{status};

    return $self->login_error($do->{aadsts} || 90033)
        if $req->{path} =~ m{/oauth2/v2\.0/token$};

    return $self->graph_error(429, $do->{code} // $code{429},
        $do->{message} // 'Please retry again later.',
        { code => '429', status => '429', message => 'Please retry after' },
        'x-ms-throttle-scope' => 'Tenant_Application/ReadWrite/'
            . $self->option('client_id') . '/' . $self->option('tenant'),
        'x-ms-throttle-information' => 'ResourceUnitLimitExceeded')
        if $status == 429;

    return $self->_unauthorized('Access token has expired or is not yet '
                                . 'valid.') if $status == 401;

    return $self->graph_error($status,
                              $do->{code} // $code{$status} // 'UnknownError',
                              $do->{message} // 'An error has occurred.');
}

sub fault_answer {
    my ($self, $do, $req) = @_;

    return $self->login_error($do->{aadsts}) if $do->{aadsts};
    return $self->expired($req, $req->{path}, $do->{expired})
        if $do->{expired};
    return $self->intune_failure($do->{intune_error}) if $do->{intune_error};

    return;
}

sub _unauthorized {
    my ($self, $message) = @_;

    my $r = $self->graph_error(
        401, $code{401}, $message, undef,
        'www-authenticate' => 'Bearer realm="", authorization_uri='
            . '"https://login.microsoftonline.com/common/oauth2/authorize", '
            . 'client_id="00000003-0000-0000-c000-000000000000"');

    $r->{chunked} = 1;

    return $r;
}


# the way

sub route {
    my ($self, $req) = @_;

    my $path = PKI::Sim::App::unescape($req->{path});

    if ($path =~ m{^/([^/]+)/oauth2/v2\.0/token$}) {
        return $self->login($req, $1) if $req->{method} eq 'POST';
        return $self->html(405, 'Method Not Allowed');
    }

    return $self->ca_call($req, $1)
        if $path =~ m{^/RACerts/[^/]+/+(\w+/\w+)$};

    my ($version, $rest) = $path =~ m{^/(v1\.0|beta)(/.*)$}
        or return $self->graph_error(400, 'BadRequest',
                                     'Invalid version.');
    my $error = $self->token_error($req, 'graph');

    return $self->_unauthorized($error) if defined $error;

    for (@{ $self->option('denied') }) {
        return $self->graph_error(403, $code{403}, 'Insufficient privileges '
                                  . 'to complete the operation.')
            if $path =~ /$_/;
    }

    return $self->_resource($req, $version, $rest)
           || $self->graph_error(400, 'BadRequest',
                                 'Resource not found for the segment.');
}

sub _resource {
    my ($self, $req, $version, $path) = @_;

    return $self->_batch($req, $version) if $path eq '/$batch';
    return $self->subscriptions($req, $1)
        if $path =~ m{^/subscriptions(/.*)?$};
    return $self->deleted_items($req, $version, $1)
        if $path =~ m{^/directory/deletedItems(/.+)$};
    return if $req->{method} ne 'GET';
    return $self->devices($req, $version, $1)
        if $path =~ m{^/devices((?:[/(].*)?)$};
    return $self->users($req, $version, $1)
        if $path =~ m{^/users((?:[/(].*)?)$};
    return $self->risky_users($req, $version, $1)
        if $path =~ m{^/identityProtection/riskyUsers((?:/.*)?)$};
    return $self->intune($req, $version, $1)
        if $path =~ m{^/deviceManagement/(.*)$};
    return $self->endpoints($req)
        if $path =~ m{^/servicePrincipals/appId=
                       0000000a-0000-0000-c000-000000000000/endpoints$}x;

    return;
}


# several requests in one

sub _batch {
    my ($self, $req, $version) = @_;

    my $in = eval { from_json($req->{body}) };
    my $requests = ref $in eq 'HASH' ? $in->{requests} : undef;

    return $self->graph_error(400, 'BadRequest', 'Invalid batch payload '
                              . 'format.')
        if $req->{method} ne 'POST' || ref $requests ne 'ARRAY';
    return $self->graph_error(400, 'MaximumValueExceeded',
                              'Number of batch request steps exceeds the '
                              . "maximum value of $batch_max.")
        if @$requests > $batch_max;

    my (%seen, %status, @responses);

    for (@$requests) {
        return $self->graph_error(400, 'BadRequest', 'Invalid batch: ids must'
                                  . ' be unique.')
            if !defined $_->{id} || ref $_->{id} || $seen{ $_->{id} }++;
    }

    for (@$requests) {
        my $r = $self->_part($req, $version, $_, \%status);

        $status{ $_->{id} } = $r->{status};
        push @responses, $r;
    }

    @responses = shuffle @responses if $self->option('batch_shuffle');

    return $self->graph_answer(200, { responses => \@responses });
}

sub _part {
    my ($self, $req, $version, $part, $status) = @_;

    return { id => $part->{id}, status => 424, headers => {},
             body => { error => { code => 'FailedDependency',
                                  message => 'A dependency failed.' } } }
        if grep { ($status->{$_} // 500) >= 400 } @{ $part->{dependsOn}
                                                     || [] };

    my $target = "/$version" . ($part->{url} // '');
    my ($path, $query) = split /\?/, $target, 2;
    my %headers = map { lc() => $part->{headers}{$_} }
                  keys %{ $part->{headers} || {} };
    my $r = $self->handle({
        method => uc($part->{method} // ''), target => $target,
        path => $path, query => $query // '', base => $req->{base},
        headers => { authorization => $req->{headers}{authorization},
                     %headers },
        body => $part->{body} ? to_json($part->{body}) : '',
    });

    return { id => $part->{id}, status => 500, headers => {}, body => undef }
        if ref $r eq 'CODE';

    my @list = @{ $r->{headers} || [] };
    my %out;

    while (my ($name, $value) = splice @list, 0, 2) {
        $out{$name} = "$value"
            if $name =~ /^(Content-Type|Retry-After|Location)$/i;
    }

    return { id => $part->{id}, status => $r->{status}, headers => \%out,
             body => length $r->{body} ? eval { from_json($r->{body}) }
                                       : undef };
}


# control

sub control {
    my ($self, $req, $what, $in, @path) = @_;

    if ($what eq 'token' && $req->{method} eq 'POST') {
        return { token => $self->new_token($in->{resource} // 'graph',
                                           $in->{lifetime} // 3599) };
    }

    return $self->notify_control($what, $in, $req);
}

sub prepare {
    my ($self, $kind, $how) = @_;

    my $top = $how->{top} || 999;
    my $text = $self->writer($kind, $how->{select});
    my $name = "$kind?" . ($how->{select} // '-');
    my $next = 0;

    (undef, $next) = $self->objects($kind)->page($next, $top, $name, $text)
        while defined $next;
}


# a small tenant for a demonstration

sub demo {
    my ($self) = @_;

    my @id = map { sprintf '%08x-0000-4000-8000-%012x', 0xde300000 + $_, $_ }
             0 .. 9;

    $self->set_options({ tenant => $id[0] });

    for ([1, 'DEMO Laptop of Ann', 'compliant'],
         [2, 'DEMO Laptop of Bob', 'noncompliant'],
         [3, 'DEMO Tablet', 'compliant'])
    {
        my ($n, $name, $state) = @$_;
        my $device = "d0000000-0000-4000-8000-00000000000$n";

        $self->add('device', {
            id => $id[$n], deviceId => $device, displayName => $name,
            isCompliant => json_bool($state eq 'compliant') });
        $self->add('managedDevice', {
            id => "e0000000-0000-4000-8000-00000000000$n",
            azureADDeviceId => $device, deviceName => $name,
            complianceState => $state });
    }

    for ([7, 'none'], [8, 'revoked']) {
        my ($n, $status) = @$_;

        $self->add('certificate', {
            id => $id[$n], certificateSerialNumber => "0DE3000$n",
            certificateSubjectName => "CN=DEMO $n",
            certificateIssuerName => 'CN=Another CA of the DEMO',
            certificateRevokeStatus => $status });
    }

    for ([4, 'ann', 1], [5, 'bob', 1], [6, 'carol', 0]) {
        my ($n, $name, $enabled) = @$_;

        $self->add('user', {
            id => $id[$n], userPrincipalName => "$name\@demo.example",
            displayName => 'DEMO ' . ucfirst $name,
            accountEnabled => json_bool($enabled) });
    }
}


1;
