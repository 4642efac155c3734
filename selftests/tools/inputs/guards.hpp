// SPDX-License-Identifier: MIT
#pragma once
// Synchronous RAII classes of different shapes, and a function that lends, for `mishap-tools convert`. Each
// is a template, so that a test can put a fake below it.

#include <memory>
#include <utility>

namespace guards {

/// Opens in the constructor, closes in the destructor, passes calls on.
template <class Session>
class opened
{
public:
    explicit opened(Session& session) : session_(session) { session_.open(); }
    opened(const opened&) = delete;
    opened& operator=(const opened&) = delete;
    ~opened() { session_.close(); }

    int query(int rows) { return session_.query() + rows; }

private:
    Session& session_;
};

/// Rolls back what was not committed.
template <class Session>
class transaction
{
public:
    explicit transaction(Session& session) : session_(session) { session_.begin(); }
    ~transaction() noexcept
    {
        if (!done_)
            session_.rollback();
    }

    void commit()
    {
        session_.commit();
        done_ = true;
    }

    int query(int) { return session_.query(); }

private:
    Session& session_;
    bool done_ = false;
};

/// Owns by pointer, may be released early, and swallows what its destructor meets.
template <class Session>
class early
{
public:
    explicit early(Session* session) : session_(session)
    {
        if (session_)
            session_->open();
        open_ = true;
    }
    ~early()
    {
        try {
            release();
        } catch (...) {
        }
    }

    void release()
    {
        if (!open_)
            return;
        open_ = false;
        session_->close();
    }

    int query(int rows)
    {
        for (int i = 0; i < rows; ++i)
            if (session_->query() < 0)
                return -1;
        return rows;
    }

private:
    Session* session_;
    bool open_ = false;
};

/// Two at once, closed in reverse; the second may fail to open.
template <class Session>
class both
{
public:
    both(Session& first, Session& second) : first_(first), second_(second)
    {
        first_.open();
        try {
            second_.open();
        } catch (...) {
            first_.close();
            throw;
        }
    }
    ~both()
    {
        second_.close();
        first_.close();
    }

    int query(int)
    {
        const int rows = first_.query();
        return rows + second_.query();
    }

private:
    Session& first_;
    Session& second_;
};

/// Its members stand outside the class, as many libraries write them.
template <class Session>
class outside
{
public:
    outside(Session& session, int attempts);
    ~outside();
    int query(int rows);

private:
    void open_now(int attempts);
    Session& session_;
    bool open_ = false;
};

template <class Session>
inline outside<Session>::outside(Session& session, int attempts) : session_(session)
{
    // The argument is kept nowhere: open() has to be given it.
    if (attempts > 0)
        open_now(attempts);
}

template <class Session>
inline outside<Session>::~outside()
{
    if (open_)
        session_.close();
}

template <class Session>
inline int outside<Session>::query(int rows)
{
    return session_.query() * rows;
}

template <class Session>
inline void outside<Session>::open_now(int)
{
    session_.open();
    open_ = true;
}

/// A template of two parameters with a default, and a base that holds nothing.
struct tagged
{};

template <class Session, class Tag = tagged>
class derived : private Tag
{
public:
    derived(Session& session, int rows) : session_{session}, rows_{rows} { session_.open(); }
    ~derived() { session_.close(); }

    [[nodiscard]] int query(int) const { return session_.query() + rows_; }

private:
    Session& session_;
    int rows_;
};

/// Owns by smart pointer, counts what it was asked, and says good-bye only where there was anything to say.
template <class Session>
class owner
{
public:
    explicit owner(std::unique_ptr<Session> session) : session_(std::move(session)) { session_->open(); }
    ~owner()
    {
        if (session_)
            session_->close();
    }

    int query(int rows)
    {
        do {
            count_ += session_->query();
        } while (--rows > 0);
        return count_;
    }
    int count() const { return count_; }

private:
    std::unique_ptr<Session> session_;
    int count_ = 0;
};

/// Lends an open session to a callback, in a transaction.
template <class Session, class Callback>
void with_transaction(Session& session, Callback callback)
{
    session.begin();
    try {
        callback(session);
        session.commit();
    } catch (...) {
        session.rollback();
        throw;
    }
}

} // namespace guards
