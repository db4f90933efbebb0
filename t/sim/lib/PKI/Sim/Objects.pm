package PKI::Sim::Objects;

# The objects of one kind: what they are, what they were (a replica may lag),
# and a journal of changes from which a delta query is answered.  An object
# has a slot for ever, so that a listing goes on where it was whatever happens
# meanwhile.  Objects of a bulk are made when somebody looks at them: their
# fields follow from the seed and their number.

use strict;
use warnings;

my $history_max = 8;        # former states of an object
my $pages_max = 4000;       # pages that are kept as text


# key: the name of the field with the id; fresh => code that completes fields;
# bulk => code that makes fields of (seed, number, slot); find_bulk => code
# that tells the number from (id, first slot); soft => code that says whether
# an object can be restored; gone, back => code that changes fields when an
# object is deleted softly and restored; clock => code

sub new {
    my ($class, %o) = @_;

    return bless {
        key => 'id', fresh => sub { }, gone => sub { }, back => sub { }, %o,
        slots => [], ids => {}, journal => [], times => [], bulks => [],
        pages => {}, count => 0,
    }, $class;
}

# what outlives a restart

my @kept = qw(slots ids journal times bulks count);

sub state { my ($self) = @_; return { map { $_ => $self->{$_} } @kept } }
sub set_state { my ($self, $s) = @_; @$self{@kept} = @$s{@kept} }


# changes

sub add {
    my ($self, $fields) = @_;

    my $slots = $self->{slots};

    $self->{fresh}->($fields, scalar @$slots);

    my $id = lc $fields->{ $self->{key} };

    die "$self->{name} $id is there\n" if defined $self->_slot($id);

    my $o = { slot => scalar @$slots, fields => $fields, changed => {} };

    push @$slots, $o;
    $self->{ids}{$id} = $o->{slot};
    $self->{count}++;
    $self->_note($o, 1);

    return $fields;
}

sub bulk {
    my ($self, $count, $seed) = @_;

    my $first = @{ $self->{slots} };

    push @{ $self->{bulks} }, { first => $first, count => $count,
                                seed => $seed };
    $#{ $self->{slots} } += $count;
    push @{ $self->{journal} }, $first .. $first + $count - 1;
    push @{ $self->{times} }, ($self->{clock}->()) x $count;
    $self->{count} += $count;
    $self->_stale($first, 1);

    return $first;
}

sub change {
    my ($self, $id, $new) = @_;

    my $o = $self->_living($id) or return;
    my $fields = $o->{fields} = { %{ $o->{fields} } };
    my $version = @{ $self->{journal} } + 1;

    for (keys %$new) {
        $fields->{$_} = $new->{$_};
        $o->{changed}{$_} = $version;
    }

    $self->_note($o);

    return $fields;
}

sub remove {
    my ($self, $id, $hard) = @_;

    my $o = $self->_object($id) or return;
    my $fields = $o->{fields} = { %{ $o->{fields} } };

    return if ($o->{removed} // '') eq 'deleted';
    return if $o->{removed} && !$hard;

    $self->{count}-- unless $o->{removed};
    $hard ||= !$self->{soft} || !$self->{soft}->($fields);
    $o->{deleted} = $self->{clock}->();
    $self->{gone}->($fields, $o->{deleted}) unless $hard || $o->{removed};
    $o->{removed} = $hard ? 'deleted' : 'changed';
    $o->{removal} = @{ $self->{journal} } + 1;
    $self->_note($o);

    return $fields;
}

sub restore {
    my ($self, $id) = @_;

    my $o = $self->_object($id) or return;

    return if ($o->{removed} // '') ne 'changed';

    $o->{fields} = { %{ $o->{fields} } };
    $self->{back}->($o->{fields});
    delete $o->{removed};
    $self->{count}++;
    $self->_note($o, 1);

    return $o->{fields};
}

# a change has its place in the journal, the object's history and the pages

sub _note {
    my ($self, $o, $full) = @_;

    my $now = $self->{clock}->();
    my $history = $o->{history} ||= [];

    push @{ $self->{journal} }, $o->{slot};
    push @{ $self->{times} }, $now;
    $o->{full} = @{ $self->{journal} } if $full;
    push @$history, [$now, $o->{fields}, $o->{removed}];
    shift @$history if @$history > $history_max;

    $self->_stale($o->{slot}, $full || $o->{removed});
}

# Drops pages that show a slot.  When there are more objects or fewer, also
# those that end the list, and all of lists by offset.

sub _stale {
    my ($self, $slot, $number) = @_;

    my $pages = $self->{pages};

    delete $self->{living} if $number;

    for (keys %$pages) {
        my $p = $pages->{$_};

        delete $pages->{$_}
            if $p->{from} <= $slot && $slot < $p->{to}
               || $number && ($p->{offset} || !defined $p->{next});
    }
}


# one object

sub _slot {
    my ($self, $id) = @_;

    my $slot = $self->{ids}{$id};

    return $slot if defined $slot || !$self->{find_bulk};

    for (@{ $self->{bulks} }) {
        my $n = $self->{find_bulk}->($id, $_->{first}) // next;

        next if $n < 0 || $n >= $_->{count};

        my $fields = $self->{bulk}->($_->{seed}, $n, $_->{first} + $n);

        return $_->{first} + $n if lc $fields->{ $self->{key} } eq $id;
    }

    return;
}

sub _object {
    my ($self, $id) = @_;

    my $slot = $self->_slot(lc $id) // return;

    return $self->{slots}[$slot] ||= $self->_made($slot);
}

sub _living {
    my ($self, $id) = @_;

    my $o = $self->_object($id) or return;

    return $o->{removed} ? () : $o;
}

sub _made {
    my ($self, $slot) = @_;

    my $fields = $self->_bulk_fields($slot);

    return { slot => $slot, fields => $fields, changed => {}, full => 0,
             history => [[0, $fields, undef]] };
}

sub _bulk_fields {
    my ($self, $slot) = @_;

    for (@{ $self->{bulks} }) {
        my $n = $slot - $_->{first};

        return $self->{bulk}->($_->{seed}, $n, $slot)
            if $n >= 0 && $n < $_->{count};
    }
}

# fields of a living object as they are, or were at a time; undef if none

sub get {
    my ($self, $id, $at) = @_;

    my $o = $self->_object($id) or return;
    my ($fields, $removed) = _view($o, $at);

    return $removed ? () : $fields;
}

# the first living object with a value in a field other than its id

sub find {
    my ($self, $field, $value, $at) = @_;

    my $slots = $self->{slots};

    for (grep { $slots->[$_] } 0 .. $#$slots) {
        my ($f, $removed) = _view($slots->[$_], $at);

        return $f if !$removed && lc($f->{$field} // '') eq lc $value;
    }

    for (@{ $self->{bulks} }) {
        my $n = $self->{find_bulk}->($value, $_->{first}) // next;

        next if $n < 0 || $n >= $_->{count} || $slots->[$_->{first} + $n];

        my $f = $self->{bulk}->($_->{seed}, $n, $_->{first} + $n);

        return $f if lc($f->{$field} // '') eq lc $value;
    }

    return;
}

sub deleted_object {
    my ($self, $id) = @_;

    my $o = $self->_object($id) or return;

    return ($o->{removed} // '') eq 'changed' ? $o->{fields} : ();
}

sub _view {
    my ($o, $at) = @_;

    return ($o->{fields}, $o->{removed}) unless defined $at;

    for (reverse @{ $o->{history} }) {
        return @$_[1, 2] if $_->[0] <= $at;
    }

    return (undef, 'not yet');
}


# listings

# Items from a slot on: ([text, ...], the slot to go on with or undef).  A
# page is kept under its name until one of its objects changes.

sub page {
    my ($self, $from, $n, $name, $text, $at) = @_;

    my $key = "$name/$from/$n";
    my $slots = $self->{slots};

    if (!defined $at && $self->{pages}{$key}) {
        my $p = $self->{pages}{$key};
        return ($p->{text}, $p->{next});
    }

    my @items;
    my $slot = $from;

    for (; $slot < @$slots && @items < $n; $slot++) {
        my ($fields, $removed) =
            $slots->[$slot] ? _view($slots->[$slot], $at)
                            : ($self->_bulk_fields($slot), undef);

        next if $removed;

        my $item = $text->($fields);

        push @items, $item if defined $item;
    }

    my $next = $self->_more($slot) ? $slot : undef;
    my $all = join ',', @items;

    if (!defined $at) {
        $self->{pages} = {} if keys %{ $self->{pages} } >= $pages_max;
        $self->{pages}{$key} = { text => $all, next => $next, from => $from,
                                 to => $slot };
    }

    return ($all, $next);
}

sub _more {
    my ($self, $slot) = @_;

    my $slots = $self->{slots};

    for (; $slot < @$slots; $slot++) {
        return 1 if !$slots->[$slot] || !$slots->[$slot]{removed};
    }

    return 0;
}

# for listings by offset: slots of all living objects in the order of $order
# (0: as made, 1: ids as numbers, 2: as text)

sub living {
    my ($self, $order, $at) = @_;

    my $slots = $self->{slots};
    my $kept = $self->{living}{$order};

    return $kept if $kept && !defined $at;

    my @living = grep {
        my $o = $slots->[$_];
        !$o || !(_view($o, $at))[1];
    } 0 .. $#$slots;

    if ($order) {
        my %id = map { $_ => $self->id_of($_) } @living;

        @living = $order == 1 ? sort { $id{$a} <=> $id{$b} } @living
                              : sort { $id{$a} cmp $id{$b} } @living;
    }

    $self->{living}{$order} = \@living unless defined $at;

    return \@living;
}

sub id_of {
    my ($self, $slot) = @_;

    my $o = $self->{slots}[$slot];

    return $self->{bulk_id}->(undef, undef, $slot)
        if !$o && $self->{bulk_id};

    my $fields = $o ? $o->{fields} : $self->_bulk_fields($slot);

    return $fields->{ $self->{key} };
}

sub fields_at {
    my ($self, $slot, $at) = @_;

    my $o = $self->{slots}[$slot] or return $self->_bulk_fields($slot);

    return (_view($o, $at))[0];
}

# a page of a listing by offset that is kept like the others

sub kept {
    my ($self, $key, $slots, $make) = @_;

    my $page = $self->{pages}{$key};

    if (!$page) {
        my @sorted = sort { $a <=> $b } @$slots;

        $self->{pages} = {} if keys %{ $self->{pages} } >= $pages_max;
        $page = $self->{pages}{$key} = {
            text => $make->(), offset => 1, from => $sorted[0] // 0,
            to => ($sorted[-1] // -1) + 1,
        };
    }

    return $page->{text};
}

# fields of all, for small things

sub all {
    my ($self, $at) = @_;
    return map { $self->fields_at($_, $at) } @{ $self->living(0, $at) };
}

# fields of those that are deleted softly

sub deleted {
    my ($self) = @_;

    return map { $_->{fields} }
           grep { $_ && ($_->{removed} // '') eq 'changed' }
           @{ $self->{slots} };
}


# the journal

sub version { return scalar @{ shift->{journal} } }

# the version at a time

sub version_at {
    my ($self, $at) = @_;

    my $times = $self->{times};
    my $v = @$times;

    $v-- while $v && $times->[$v - 1] > $at;

    return $v;
}

# slots that changed after version $from up to $to, by their last change

sub since {
    my ($self, $from, $to) = @_;

    my %seen;

    return [reverse grep { !$seen{$_}++ }
            reverse @{ $self->{journal} }[$from .. $to - 1]];
}

# What became of a slot since a version: (fields, undef, names or undef for
# all) or (fields, reason); nothing for what does not concern @$names.

sub fate {
    my ($self, $slot, $since, $names, $at) = @_;

    my $o = $self->{slots}[$slot]
        or return ($self->_bulk_fields($slot), undef, undef);
    my ($fields, $removed) = _view($o, $at);

    return if !$fields;
    return ($fields, $removed) if $removed;
    return ($fields, undef, undef) if $o->{full} > $since || !$names;

    my @changed = grep { ($o->{changed}{$_} || 0) > $since } @$names;

    return @changed ? ($fields, undef, \@changed) : ();
}

# slots with a tombstone

sub removed_slots {
    my ($self) = @_;

    my $slots = $self->{slots};

    return grep { $slots->[$_] && $slots->[$_]{removed} } 0 .. $#$slots;
}


1;
