"""django-q2's surface on this engine: `django_q.tasks`, its groups and chains, and its rows."""
