package PKI::Sim::Notify;

# Change notifications of Graph: subscriptions with the validation handshake,
# a message for each change of a user, lifecycle events, and by control calls
# bursts, copies and forgeries.  What was sent, and how it was answered, is
# told by GET /sim/sent.

use strict;
use warnings;

use Mojo::IOLoop;
use Mojo::UserAgent;
use Mojo::Util qw(url_escape);
use Time::HiRes qw(time);

use PKI::Sim::JSON;
use PKI::Sim::Login qw(guid random_text);

my $handshake_limit = 10;   # seconds
my $answer_limit = 3;
my $life_max = 41760 * 60;  # seconds
my $quota = 100;            # of an application in a tenant
my @retries = (1, 2, 4);    # seconds


sub notify_defaults {
    return (notify => json_true, notify_retry => json_false);
}

sub notify_kinds {
    return (subscription => { fresh => sub { $_[0]{id} = guid() } });
}

sub _agent {
    my ($self, $limit) = @_;

    return Mojo::UserAgent->new(insecure => 1, max_redirects => 0)
           ->request_timeout($limit)->connect_timeout($limit);
}

sub subscriptions {
    my ($self, $req, $rest) = @_;

    my $objects = $self->objects('subscription');
    my ($id, $verb) = ($rest // '') =~ m{^/([^/]+)(?:/(\w+))?$};

    if (!defined $id) {
        return $self->_subscribe($req) if $req->{method} eq 'POST';
        return $self->graph_answer(200, {
            value => [map { _shown($_) } $objects->all] });
    }

    my $is = $objects->get($id)
        or return $self->graph_error(404, 'ResourceNotFound',
                                     'The object was not found.');

    if ($req->{method} eq 'DELETE') {
        $objects->remove($id, 1);
        return $self->graph_answer(204);
    }

    if ($req->{method} eq 'POST' && ($verb // '') eq 'reauthorize') {
        $objects->change($id, { _reauthorized => 1 });
        return $self->graph_answer(200);
    }

    if ($req->{method} eq 'PATCH') {
        my $in = eval { from_json($req->{body}) } || {};
        my $error = $self->_expiry($in);

        return $error if $error;

        $objects->change($id, {
            expirationDateTime => $in->{expirationDateTime} });
    }

    return $self->graph_answer(200, _shown($objects->get($id)));
}

# the secret is not shown again

sub _shown {
    my ($f) = @_;
    return { map { $_ => $f->{$_} } grep { !/^_|^clientState$/ } keys %$f };
}

sub _expiry {
    my ($self, $in) = @_;

    my $text = $in->{expirationDateTime} // '';
    my $latest = PKI::Sim::Entra::iso($self->now + $life_max + 60);

    return $self->graph_error(400, 'InvalidRequest',
                              'Subscription expiration is not valid.')
        if $text !~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/ || $text gt $latest
           || $text lt PKI::Sim::Entra::iso($self->now);

    return;
}

# answered when the address has given the token back

sub _subscribe {
    my ($self, $req) = @_;

    my $in = eval { from_json($req->{body}) };

    return $self->graph_error(400, 'InvalidRequest', 'Not an object.')
        if ref $in ne 'HASH';

    my $error = $self->_expiry($in);

    return $error if $error;
    return $self->graph_error(400, 'InvalidRequest', 'The resource is not '
                              . 'supported.')
        if ($in->{resource} // '') !~ m{^/?(users|groups)(/.*)?$}
           || ($in->{changeType} // '') !~ /^\w+(,\w+)*$/
           || length($in->{clientState} // '') > 128;
    return $self->graph_error(403, 'Forbidden', 'Too many subscriptions.')
        if $self->objects('subscription')->{count} >= $quota;

    my @urls = grep { defined } @$in{qw(notificationUrl
                                        lifecycleNotificationUrl)};

    return $self->graph_error(400, 'InvalidRequest', 'No address.')
        unless defined $in->{notificationUrl};

    return sub {
        my ($done) = @_;

        my $end = sub {
            my ($why) = @_;

            return $done->($self->graph_error(400, 'ValidationError',
                'Subscription validation request failed. ' . $why))
                if defined $why;

            my $o = $self->objects('subscription')->add({
                applicationId => $self->option('client_id'),
                creatorId => guid(),
                lifecycleNotificationUrl => undef, %$in });

            $done->($self->graph_answer(201, _shown($o)));
        };

        $self->_handshake(\@urls, $end);
    };
}

sub _handshake {
    my ($self, $urls, $end) = @_;

    my $url = shift @$urls or return $end->();
    my $token = 'Validation: Testing client application + '
                . random_text(40);
    my $target = $url . ($url =~ /\?/ ? '&' : '?') . 'validationToken='
                 . url_escape($token);
    my $agent = $self->_agent($handshake_limit);

    $agent->post($target, { 'Content-Type' => 'text/plain; charset=utf-8' },
                 '' => sub {
        my ($ua, $tx) = @_;

        my $res = $tx->res;
        my $type = $res->headers->content_type // '';
        my $ok = !$tx->error && $res->code == 200
                 && $type =~ m{^text/plain\b}i && $res->body eq $token;

        push @{ $self->{sent} }, {
            kind => 'validation', url => $url, status => $res->code,
            ok => json_bool($ok), body => $res->body,
        };
        undef $agent;

        return $end->('HTTP status code is \'' . ($res->code // 'none')
                      . "', type '$type'.") unless $ok;
        $self->_handshake($urls, $end);
    });
}


# messages

sub _item {
    my ($self, $s, $change, $id) = @_;

    return { subscriptionId => $s->{id}, changeType => $change,
             subscriptionExpirationDateTime => $s->{expirationDateTime},
             clientState => $s->{clientState}, resource => "Users/$id",
             tenantId => $self->option('tenant'),
             resourceData => { '@odata.type' => '#Microsoft.Graph.User',
                               '@odata.id' => "Users/$id", id => $id } };
}

# a new user and one that is deleted softly are also told as "updated"

sub notify_user {
    my ($self, $how, $id) = @_;

    return unless $self->option('notify');

    my $now = PKI::Sim::Entra::iso($self->now);

    for my $s ($self->objects('subscription')->all) {
        my @types = split /,/, $s->{changeType};
        my ($type) = grep { $_ eq $how } @types;

        ($type) = grep { $_ eq 'updated' } @types unless $type;

        next unless $type && $s->{expirationDateTime} gt $now;
        next if $s->{resource} =~ m{users/(.+)}i && lc $1 ne lc $id;

        $self->_send($s->{notificationUrl}, [$self->_item($s, $type, $id)]);
    }
}

sub _send {
    my ($self, $url, $items, $try) = @_;

    my $agent = $self->_agent($answer_limit);
    my $started = time;

    $agent->post($url, { 'Content-Type' => 'application/json' },
                 to_json({ value => $items }) => sub {
        my ($ua, $tx) = @_;

        my $status = $tx->res->code // 0;

        push @{ $self->{sent} }, {
            kind => 'notification', url => $url, status => $status,
            items => scalar @$items, took => time - $started,
        };
        undef $agent;

        my $wait = $retries[$try // 0];

        Mojo::IOLoop->timer($wait => sub {
            $self->_send($url, $items, ($try // 0) + 1);
        }) if $self->option('notify_retry') && $wait && $status !~ /^2/;
    });
}

# POST /sim/notify: id of a user, burst, clientState (a wrong one), lifecycle

sub notify_control {
    my ($self, $what, $in, $req) = @_;

    if ($what eq 'sent') {
        my $sent = $self->{sent} || [];

        $self->{sent} = [] if $req->{method} eq 'DELETE';
        return $sent;
    }

    return if $what ne 'notify';

    my $n = 0;

    for my $s ($self->objects('subscription')->all) {
        next if $in->{subscription} && $s->{id} ne $in->{subscription};

        my %s = (%$s, defined $in->{clientState}
                          ? (clientState => $in->{clientState}) : ());

        if (my $event = $in->{lifecycle}) {
            $self->_send($s->{lifecycleNotificationUrl}
                         // $s->{notificationUrl}, [{
                subscriptionId => $s->{id}, lifecycleEvent => $event,
                subscriptionExpirationDateTime => $s->{expirationDateTime},
                tenantId => $self->option('tenant'),
                clientState => $s{clientState} }]);
            $n++;
            next;
        }

        my @items = map { $self->_item(\%s, 'updated', $in->{id} // guid()) }
                    1 .. $in->{items} // 1;

        $self->_send($s->{notificationUrl}, \@items), $n++
            for 1 .. $in->{burst} // 1;
    }

    return { sent => $n };
}


1;
