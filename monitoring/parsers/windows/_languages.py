"""The labels of events rendered in French, German, Spanish, Italian and Portuguese, given back in English."""

from __future__ import annotations

import re

# English = other languages, parted by bars; apostrophes as ASCII, compared with typographic ones too.
_WRITTEN = """
Subject = Sujet | Objet | Antragsteller | Sujeto | Asunto | Firmante | Soggetto | Requerente | Assunto
Security ID = ID de sécurité | Sicherheits-ID | Id. de seguridad | ID sicurezza | ID di sicurezza | ID de segurança
Account Name = Nom du compte | Nom de compte | Kontoname | Nombre de cuenta | Nombre de la cuenta | Nome account | Nome da conta | Nome da Conta
Account Domain = Domaine du compte | Domaine de compte | Kontodomäne | Dominio de cuenta | Dominio de la cuenta | Dominio account | Domínio da conta | Domínio da Conta
Logon ID = ID d'ouverture de session | ID de l'ouverture de session | Anmelde-ID | Id. de inicio de sesión | ID accesso | ID de logon | Identificação de Logon
Logon GUID = GUID d'ouverture de session | Anmelde-GUID | GUID de inicio de sesión | GUID accesso | GUID de logon
Logon Type = Type d'ouverture de session | Anmeldetyp | Tipo de inicio de sesión | Tipo di accesso | Tipo accesso | Tipo de logon | Tipo de Logon
New Logon = Nouvelle ouverture de session | Neue Anmeldung | Nuevo inicio de sesión | Nuovo accesso | Novo logon | Novo Logon
Account For Which Logon Failed = Compte pour lequel l'ouverture de session a échoué | Konto, für das die Anmeldung fehlgeschlagen ist | Cuenta con error de inicio de sesión | Account il cui accesso non è riuscito | Account per cui l'accesso non è riuscito | Conta cujo logon falhou
Failure Information = Informations sur l'échec | Fehlerinformationen | Información de error | Informazioni sull'errore | Informações da falha
Failure Reason = Raison de l'échec | Fehlerursache | Motivo del error | Razón del error | Motivo dell'errore | Motivo da falha
Sub Status = Sous-état | Sous-statut | Unterstatus | Subestado | Stato secondario | Substatus
Status = État | Estado | Stato
Process Information = Informations sur le processus | Prozessinformationen | Información de proceso | Información del proceso | Informazioni sul processo | Informações do processo
Caller Process ID = ID du processus de l'appelant | ID du processus appelant | Aufrufprozess-ID | Id. de proceso del autor de la llamada | ID processo chiamante | ID do processo do chamador
Caller Process Name = Nom du processus de l'appelant | Nom du processus appelant | Aufrufprozessname | Nombre de proceso del autor de la llamada | Nome processo chiamante | Nome do processo do chamador
New Process ID = ID du nouveau processus | Neue Prozess-ID | Id. del nuevo proceso | ID nuovo processo | ID do novo processo
New Process Name = Nom du nouveau processus | Neuer Prozessname | Nombre del nuevo proceso | Nome nuovo processo | Nome do novo processo
Creator Process ID = ID du processus créateur | Erstellerprozess-ID | Id. de proceso del creador | ID processo autore | ID do processo criador
Creator Process Name = Nom du processus créateur | Erstellerprozessname | Nombre de proceso del creador | Nome processo autore | Nome do processo criador
Process Command Line = Ligne de commande du processus | Prozessbefehlszeile | Línea de comandos de proceso | Riga di comando processo | Linha de comando do processo
Process ID = ID du processus | ID de processus | Prozess-ID | Id. de proceso | ID processo | ID do processo
Process Name = Nom du processus | Prozessname | Nombre de proceso | Nome processo | Nome do processo
Network Information = Informations sur le réseau | Informations réseau | Netzwerkinformationen | Información de red | Informazioni di rete | Informações de rede
Workstation Name = Nom de la station de travail | Arbeitsstationsname | Name der Arbeitsstation | Nombre de estación de trabajo | Nombre de la estación de trabajo | Nome workstation | Nome da estação de trabalho
Source Workstation = Station de travail source | Quellarbeitsstation | Estación de trabajo de origen | Workstation di origine | Estação de trabalho de origem
Source Network Address = Adresse du réseau source | Adresse réseau source | Quellnetzwerkadresse | Dirección de red de origen | Indirizzo di rete di origine | Endereço de rede de origem
Source Address = Adresse source | Quelladresse | Dirección de origen | Indirizzo di origine | Endereço de origem
Destination Address = Adresse de destination | Zieladresse | Dirección de destino | Indirizzo di destinazione | Endereço de destino
Source Port = Port source | Quellport | Puerto de origen | Porta di origine | Porta de origem
Destination Port = Port de destination | Zielport | Puerto de destino | Porta di destinazione | Porta de destino
Client Address = Adresse du client | Adresse client | Clientadresse | Dirección de cliente | Indirizzo client | Endereço do cliente
Client Port = Port client | Port du client | Clientport | Puerto de cliente | Porta client | Porta do cliente
Logon Process = Processus d'ouverture de session | Anmeldeprozess | Proceso de inicio de sesión | Processo di accesso | Processo de logon
Authentication Package = Package d'authentification | Module d'authentification | Authentifizierungspaket | Paquete de autenticación | Pacchetto di autenticazione | Pacote de autenticação
Logon Account = Compte d'ouverture de session | Anmeldekonto | Cuenta de inicio de sesión | Account di accesso | Conta de logon
Error Code = Code d'erreur | Fehlercode | Código de error | Codice errore | Código de erro
Result Code = Code de résultat | Ergebniscode | Código de resultado | Codice risultato
Failure Code = Code d'échec | Código de falha
Service Name = Nom du service | Dienstname | Nombre de servicio | Nombre del servicio | Nome servizio | Nome do serviço
Service Information = Informations sur le service | Dienstinformationen | Información de servicio | Informazioni sul servizio | Informações do serviço
Account Information = Informations sur le compte | Kontoinformationen | Información de cuenta | Informazioni sull'account | Informações da conta
Target Account = Compte cible | Zielkonto | Cuenta de destino | Account di destinazione | Conta de destino
New Account = Nouveau compte | Neues Konto | Nueva cuenta | Nuovo account | Nova conta
Account That Was Locked Out = Compte verrouillé | Gesperrtes Konto | Cuenta bloqueada | Account bloccato | Conta bloqueada
Caller Computer Name = Nom de l'ordinateur appelant | Aufrufercomputername | Nombre de equipo del autor de la llamada | Nome computer chiamante | Nome do computador do chamador
Member = Membre | Mitglied | Miembro | Membro
Group = Groupe | Gruppe | Grupo | Gruppo
Group Name = Nom du groupe | Gruppenname | Nombre de grupo | Nome gruppo | Nome do grupo
Group Domain = Domaine du groupe | Gruppendomäne | Dominio de grupo | Dominio gruppo | Domínio do grupo
Object = Objekt | Oggetto
Object Name = Nom de l'objet | Objektname | Nombre de objeto | Nome oggetto | Nome do objeto
Object Type = Type d'objet | Objekttyp | Tipo de objeto | Tipo oggetto
Share Name = Nom du partage | Freigabename | Nombre de recurso compartido | Nome condivisione | Nome do compartilhamento
Task Name = Nom de la tâche | Aufgabenname | Nombre de tarea | Nome attività | Nome da tarefa
Privileges = Privilèges | Berechtigungen | Privilegios | Privilegi | Privilégios
"""  # noqa: E501 - a table
_ENGLISH = {
    name.strip().replace("'", apostrophe): english.strip()
    for row in _WRITTEN.strip().splitlines()
    for english, _, names in [row.partition(" = ")]
    for name in names.split("|")
    for apostrophe in ("'", "\u2019")
}
_NAMES = "|".join(map(re.escape, sorted(_ENGLISH, key=len, reverse=True)))
_LABEL = re.compile(rf"(?:\A|(?<=[\s.;,|]))({_NAMES})[ \u00a0\u202f]?:(?=\s|\Z)")
_SURE = re.compile(
    r"Sicherheits-ID|ID de s|Id\. de seguridad|ID sicurezza|ID di sicurezza|Anmelde|Kontoname|Nom d|Nombre de|Nome "
)


def in_english(text: str) -> str:
    """The text with its labels in English; as it is when it has none of another language."""
    if _SURE.search(text) is None:
        return text
    return _LABEL.sub(lambda match: f"{_ENGLISH[match[1]]}:", text)
