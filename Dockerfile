# One image for all processes: web and OCPP by default; worker and beat with another command (compose.yaml).
FROM node:24-slim AS packages
WORKDIR /packages
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --omit=dev --no-audit --no-fund

FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=cms.settings.production VAR=/var/lib/magetsi

RUN useradd --system --uid 10001 --home-dir /var/lib/magetsi --create-home magetsi
WORKDIR /srv/magetsi

# Before the code, so that a change of code does not install anew.
COPY requirements/base.txt requirements/
RUN pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements/base.txt

COPY manage.py LICENSE NOTICE ./
COPY accounts accounts
COPY billing billing
COPY cms cms
COPY locale locale
COPY stations stations
COPY static static
COPY templates templates

# Third-party stylesheets and scripts: the picked files stay, the packages do not.
RUN --mount=type=bind,from=packages,source=/packages,target=/packages \
    cp /packages/package-lock.json . && ln -s /packages/node_modules node_modules \
    && python -m cms.run.assets --downloaded && rm node_modules package-lock.json

RUN python -c "from cms.run.translations import compile_messages; compile_messages()"

USER magetsi
RUN mkdir -m 700 /var/lib/magetsi/files
# The settings insist on these; collecting files uses none of them, and none stays in the image.
RUN SECRET_KEY=unused ALLOWED_HOSTS=unused DATABASE_URL=postgresql://unused REDIS_URL=redis://unused \
    python manage.py collectstatic --no-input --verbosity 0

EXPOSE 8000
CMD ["python", "-m", "cms.server", "--host", "0.0.0.0", "--port", "8000"]
